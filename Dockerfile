# Longshore in a container: docker build -t longshore .
#
#   docker run -v /etc/longshore:/etc/longshore:ro -v /var/spool/longshore:/var/spool/longshore \
#     -v longshore-state:/var/lib/longshore --stop-timeout 60 longshore
#
# The spool must be writable for user 10001, and --stop-timeout above drain (25 s) and abort (3 s).

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked && strip target/release/longshore

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/longshore --create-home --shell /usr/sbin/nologin longshore \
 && install -d -o longshore -g longshore -m 2770 /var/spool/longshore
COPY --from=build /src/target/release/longshore /usr/local/bin/longshore
USER longshore
WORKDIR /var/lib/longshore
ENV STATE_DIRECTORY=/var/lib/longshore
VOLUME ["/var/lib/longshore"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["longshore"]
CMD ["run"]
