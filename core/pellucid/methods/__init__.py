"""Attribution methods: each is a function of a `pellucid.model.Model` and arrays."""

from pellucid.methods.integrated_gradients import integrated_gradients, quadrature

__all__ = ["integrated_gradients", "quadrature"]
