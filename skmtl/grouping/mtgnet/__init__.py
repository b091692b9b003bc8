"""The parts of MTG-Net: its networks, its baseline, and its active learning."""
