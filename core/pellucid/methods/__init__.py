"""Attribution methods: each module has one function of a `pellucid.model.Model` and arrays."""
