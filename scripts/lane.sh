# Sourced by `run` and `.ci/run`: building one preset and running its tests.

# Compiling a coroutine takes up to 1 GB; more jobs than memory for them end in the OOM killer.
parallel_jobs()
{
    local cores memory
    cores=$(nproc)
    memory=$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo)
    ((memory < 1)) && memory=1
    echo $((cores < memory ? cores : memory))
}

# build_preset PRESET [TARGET...]
build_preset()
{
    local preset=$1 log=build/$1/configure.log
    shift
    mkdir -p "${log%/*}"
    if ! cmake --preset "$preset" >"$log" 2>&1; then
        cat "$log" >&2
        return 1
    fi
    cmake --build --preset "$preset" --parallel "$(parallel_jobs)" ${1:+--target "$@"}
}

# test_preset PRESET [CTEST OPTION...]: runs the tests and counts the cases; the lists of both are in
# build/PRESET/cases.tsv afterwards.
test_preset()
{
    local preset=$1 logs=$PWD/build/$1/case_logs status=0
    shift
    rm -rf "$logs" "build/$preset/results.xml"
    mkdir -p "$logs"
    MCP_POOL_CASE_LOG=$logs ctest --preset "$preset" --parallel "$(parallel_jobs)" \
        --output-junit "$PWD/build/$preset/results.xml" "$@" || status=$?
    if [[ ! -e build/$preset/results.xml ]]; then
        echo "ctest left no results (exit status $status)" >&2
        return 1
    fi
    echo
    # ctest itself also fails where no case did, e.g. when a test could not be found.
    scripts/count_cases "build/$preset/results.xml" "$logs" "build/$preset/cases.tsv" || return 1
    return "$status"
}
