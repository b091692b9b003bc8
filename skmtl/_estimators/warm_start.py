"""Continue a previous fit: its weights are where training begins."""


def resume(module, trained):
    """Copy the weights of a previous fit into an untrained module of the same shapes."""
    state = dict(trained.named_parameters())
    shapes = {name: p.shape for name, p in module.named_parameters()}
    changed = [
        name
        for name in {*shapes, *state}
        if shapes.get(name) != getattr(state.get(name), "shape", None)
    ]
    if changed:
        raise ValueError(
            "warm_start=True continues the previous fit, but parameters that decide the shape "
            f"of {changed[0]!r} have changed since; set warm_start=False to start afresh."
        )
    for name, parameter in module.named_parameters():
        parameter.data = state[name].detach().to(parameter, copy=True)
    for name in module.resumed_buffers:
        buffer = getattr(module, name)
        setattr(module, name, getattr(trained, name).to(buffer, copy=True))
