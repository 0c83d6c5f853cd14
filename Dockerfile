# The service in a container: lighttpd and the worker, supervised by conf/service.
# Redis is elsewhere: REDIS_HOST. docker-compose.yml puts the two together.

FROM debian:bookworm-slim AS build
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        gcc make libc6-dev libfcgi-dev libhiredis-dev libjansson-dev \
        libdeflate-dev libsnappy-dev libcurl4-gnutls-dev nodejs npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make -j"$(nproc)" all && make install DESTDIR=/out PREFIX=/usr \
 && strip /out/usr/libexec/analytics/analytics.fcgi /out/usr/bin/analytics-load

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        lighttpd libfcgi0ldbl libhiredis0.14 libjansson4 \
        libdeflate0 libsnappy1v5 libcurl3-gnutls ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /usr/share/doc /usr/share/man \
 && useradd --system --uid 990 --home-dir /run/analytics --shell /usr/sbin/nologin analytics \
 && install -d -o analytics -m 750 /run/analytics
COPY --from=build /out/usr/libexec /usr/libexec
COPY --from=build /out/usr/bin /usr/bin
ENV RUN_DIR=/run/analytics LOG_TO=stderr REDIS_HOST=redis
USER analytics
EXPOSE 8000
# As Ctrl-C: what is under way is finished first.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=4s --start-period=10s --retries=3 \
    CMD ["analytics", "health"]
CMD ["analytics", "run"]
