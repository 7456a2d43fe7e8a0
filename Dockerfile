# syntax=docker/dockerfile:1
# The image of the platform: every process of it, chosen by its arguments (services/seckill/main.ts, operator/main.ts …).
# `npm run image` builds the same without Docker, by the same code: tools/image.

FROM node:24.21.0-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx libnginx-mod-http-lua lua-resty-core \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /packages
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts
WORKDIR /repository
COPY . .
RUN node tools/image/rootfs.ts /image /packages/node_modules

# Nothing but what the build collected: Node, nginx, their libraries, the packages, the sources. No shell.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="seckill" \
      org.opencontainers.image.description="Flash sales on Kubernetes that never oversell a unit and never lose an order" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /image/base /
COPY --from=build /image/app /
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin \
    NODE_ENV=production \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    SECKILL_NGINX=/usr/sbin/nginx \
    SECKILL_NGINX_MODULES=/usr/lib/nginx/modules \
    SECKILL_NGINX_LUA_PATH="/usr/share/lua/5.1/?.lua;;"
USER 1000:1000
WORKDIR /app
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["cli/main.ts", "--help"]
