"""Architectures: torch modules whose parameters have the member axis first.

Nothing here knows pandas or scikit-learn.
"""

from skmtl.nn._gumbel import GumbelNetwork
from skmtl.nn._hypernet import TaskHypernetwork
from skmtl.nn._members import MemberModule, member_generators

__all__ = ["GumbelNetwork", "MemberModule", "TaskHypernetwork", "member_generators"]
