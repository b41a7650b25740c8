#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job from nothing: installs what is missing, builds, and runs `make demo`.
set -eu
cd "$(dirname "$0")/.."
sh share/nexus/deps.sh build demo
exec make -j"$(nproc)" demo
