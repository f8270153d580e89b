# The image of a core node: Node, the core's sources as they are (Node strips their types) and the packages they import.
# cdk/dockerfile.test.ts starts the same entry from a tree with these files alone.
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY domain ./domain
COPY contracts ./contracts
COPY adapters ./adapters
COPY consensus ./consensus

# Fargate gives a volume mounted here the owner it has in the image. /data is a file system with an owner of its own.
RUN groupadd --gid 10001 conflux \
  && useradd --uid 10001 --gid conflux --no-create-home --shell /usr/sbin/nologin conflux \
  && install -d -o conflux -g conflux -m 0700 /identity
VOLUME /identity
USER 10001:10001
EXPOSE 7401 7402
STOPSIGNAL SIGTERM
# The flags are those of contracts/core/node-flags.ts, which says why.
CMD ["node", "--min-semi-space-size=16", "--max-semi-space-size=16", "consensus/server/main.ts"]
