# Built with `docker build .`, or, where no image registry is reachable, with buildah and base images of the same names
# (tools/image-builder.ts).

# Tags move. To pin the images: --build-arg NODE_IMAGE=node@sha256:... --build-arg DEBIAN_IMAGE=debian@sha256:...
ARG NODE_IMAGE=node:24-bookworm-slim
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /podcap
# The Node that runs the agent: 18 MB smaller without its symbols.
RUN strip -o node "$(command -v node)"
COPY package.json package-lock.json ./
# Not `npm ci`: it requires the packages of every platform in the lock file, and some registries have only Linux's.
RUN --mount=type=cache,target=/root/.npm npm install --no-save --no-audit --no-fund
COPY src src
# The tests use the same flags (src/testbed/compile.ts).
RUN gcc @src/compile_flags.txt -shared -fPIC -o podcap-preload.so src/agent/preload/*.c -ldl \
 && gcc @src/compile_flags.txt -shared -fPIC -o podcap-tap-preload.so src/agent/tap-preload/*.c -ldl \
 && gcc @src/compile_flags.txt -o podcap-spawner src/agent/spawner/*.c \
 && gcc @src/compile_flags.txt -o podcap-interface-probe src/agent/interface-probe/*.c
# CommonJS, because node:http takes 13 MB more when an ES module imports it. Node 24 supports `using`.
# The agent, the hub and the commands apart: code that a program does not run would take its memory too.
RUN node_modules/.bin/esbuild podcap=src/agent/main.ts hub=src/hub/main.ts commands=src/commands/main.ts traffic=src/examples/example-traffic.ts \
      --bundle --platform=node --target=node24 --format=cjs --supported:using=true \
      --outdir=. --out-extension:.js=.cjs --metafile=bundle.json
COPY tools/notices.ts ./
RUN node --disable-warning=ExperimentalWarning notices.ts bundle.json >licenses.txt

FROM ${DEBIAN_IMAGE}
# In /usr/local/bin/podcap: with a small young generation, the commands take less memory, and no more time. The hub's heap
# may grow by a part of what is in use, and its buffers go back to the system at once: they take half as much memory. Its
# young generation is the smallest: docs/decisions/0042-the-hub-relays-bytes-and-keeps-none.md.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tcpdump tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
 && groupadd --gid 10001 podcap-capture \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin podcap-capture \
 && printf '%s\n' '#!/bin/sh' 'case $1 in ""|-*) program=podcap ;; *) program=commands ;; esac' \
      'if [ "$1" = hub ]; then export MALLOC_MMAP_THRESHOLD_=32768' \
      'exec node --max-semi-space-size=1 --heap-growing-percent=30 /usr/lib/podcap/hub.cjs "$@"; fi' \
      'exec node --max-semi-space-size=2 /usr/lib/podcap/$program.cjs "$@"' >/usr/local/bin/podcap \
 && chmod 755 /usr/local/bin/podcap
COPY --from=build /podcap/node /usr/local/bin/node
COPY --from=build /podcap/podcap-spawner /podcap/podcap-preload.so /podcap/podcap-tap-preload.so /podcap/podcap-interface-probe /usr/lib/podcap/
COPY --from=build /podcap/podcap.cjs /podcap/hub.cjs /podcap/commands.cjs /podcap/traffic.cjs /usr/lib/podcap/
# What is in the bundle, and the licenses of the npm packages and Node. Debian's packages contain theirs.
COPY --from=build /podcap/bundle.json /podcap/licenses.txt /usr/share/doc/podcap/
COPY --from=build /usr/local/LICENSE /usr/share/doc/nodejs/copyright
# The agent needs little speed, so these trade it for memory (docs/decisions/0016-the-agent-trades-speed-for-memory.md).
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072
# When the agent dies, tini ends, and with it every capture.
ENTRYPOINT ["tini", "--", "node", "--max-semi-space-size=1", "--max-opt=1", "--optimize-for-size", "/usr/lib/podcap/podcap.cjs"]
