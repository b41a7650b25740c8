#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Random workloads: what a plan promises, checked by a program that shares no code with the tool.
. "$NX_SRC/tests/lib/tap.sh"
export PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2317 # called by true_that
random_plans() { python3 "$NX_SRC/tests/cli/plan/random_plans.py" "$@"; }

true_that '300 plans keep every promise' random_plans 1 300 general
true_that '200 small plans need as few devices as brute force finds' random_plans 1 200 small
true_that '100 plans are never dearer than the paper'"'"'s' random_plans 1 100 paper
true_that '100 re-plans keep what they can' random_plans 1 100 replan
done_testing
