# The tests of the sandbox (ring 1) on this kernel, where they meet other versions of
# Landlock, of mount calls and of cgroups than on the machine that built them. Many
# minutes; not part of CI. Sourced by start.sh.
# shellcheck shell=bash
# programs: sandbox_test sandbox_probe isolation_test sandbox_acts sandbox_attacker sandbox_victim sandbox_static

# They look for programs where they were built.
built=$(grep -aoE '/[^[:cntrl:]]*/bin/sandbox_probe' bin/sandbox_test | head -n 1)
built=${built%/bin/sandbox_probe}
mkdir -p "$built"
mount --bind /job "$built"
export BERTH_REQUIRE_SANDBOX=1
for tests in ${BERTH_TESTS:-sandbox_test}; do
    bin/"$tests" --durations no
    same "$tests ended with" $? 0
done
