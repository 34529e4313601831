# The module as Istio and Envoy Gateway pull it: one layer with plugin.wasm. `make images` builds it.
FROM scratch
COPY plugin.wasm /
