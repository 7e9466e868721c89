"""Attribution methods: each module is one, with a function of its name of a `pellucid.model.Model`.

    from pellucid.methods.xrai import xrai

The modules are what this package exports; others build on them: `felzenszwalb`, `greedy_cover` and
`superpixels` cut pictures, `texts` texts, `series_players` series, `coalition_games` and `adaptive`
count and refine.
"""
