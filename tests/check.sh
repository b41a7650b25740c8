#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All tests from nothing: installs what is missing, builds, and runs `make check`.
set -eu
cd "$(dirname "$0")/.."
sh share/nexus/deps.sh build demo check
make -j"$(nproc)" all unit
exec make check
