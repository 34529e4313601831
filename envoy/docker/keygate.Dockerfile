# The command `keygate`, static and alone in its image; by default the key service. `make images`
# builds it. It writes only to /data, and SQLite to /tmp: run it with a read-only root file system.
FROM scratch
# For webhooks, hooks and reports of leaks over TLS.
COPY ca-certificates.crt /etc/ssl/certs/
COPY --chown=65532:65532 data /data
COPY keygate /
USER 65532:65532
ENV KEYGATE_LISTEN=0.0.0.0:8801 KEYGATE_DATABASE=/data/keygate.db
VOLUME /data
EXPOSE 8801
HEALTHCHECK --interval=5s --timeout=6s --start-period=60s CMD ["/keygate", "ready"]
ENTRYPOINT ["/keygate"]
CMD ["serve"]
