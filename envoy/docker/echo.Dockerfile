# The upstream of the demo, which answers every request with what it received. `make images` builds it.
FROM scratch
COPY keygate-echo /
USER 65532:65532
EXPOSE 8802
ENTRYPOINT ["/keygate-echo", "0.0.0.0:8802"]
