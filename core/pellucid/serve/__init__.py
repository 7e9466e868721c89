"""HTTP: the protocols of KServe, AI Platform and Vertex over models that are loaded here.

The way of a request: `app` routes it to a protocol; `exchange` admits it, reads it, and has it
answered before its deadline; `device` gathers what waits into blocks, and has them computed;
`clerks` read and write; the protocol says what. `shelf` holds the models and loads them anew when
their directories change.
"""
