// A pool of real server processes, and the proof that nothing of them is left.
#pragma once

#include "support/pool_fixture.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mcp_pool::testing {

// Fails the test if, some time after everything else of it is gone, this process has more open
// descriptors than before or a process that it marked is alive.
class leftovers_check
{
public:
    leftovers_check();
    leftovers_check(const leftovers_check&) = delete;
    leftovers_check& operator=(const leftovers_check&) = delete;
    ~leftovers_check();

    // The living processes, zombies excluded, that have the mark in their environment: servers of
    // this test and whatever they started, wherever it hides.
    [[nodiscard]] std::vector<int> marked_processes() const;
    // False if some are still there after a long time.
    [[nodiscard]] bool await_no_marked_process() const;

protected:
    static constexpr const char* mark_name = "MCP_POOL_TEST_MARK";
    const std::string mark_;

private:
    std::vector<std::string> open_before_;
};

struct process_fixture : leftovers_check, pool_fixture
{
    process_fixture();

    // A pool of `command`, a name in our own bin directory or a path.
    session_pool& open_server(const std::string& command, std::vector<std::string> args,
        const pool_overrides& overrides = {}, era_choice era = era_choice::auto_detect);

    // Calls the tool `echo`; without a message "hi".
    std::shared_ptr<outcome<tool_result>> echo(lease& session, call_options options = {});

    // Variables that servers opened from now on get.
    std::map<std::string, std::string> environment;

    // Closes the pool; nothing may be alive afterwards.
    void teardown();
};

// Fails the test unless `result` is a failure with `code`, or an error in rpc_category(), whose
// message has all of `parts` and no control character.
template <class T>
void check_failure(const std::shared_ptr<outcome<T>>& result, const error_code& code,
    std::initializer_list<std::string_view> parts,
    std::source_location where = std::source_location::current())
{
    BOOST_TEST_CONTEXT("line " << where.line())
    {
        BOOST_REQUIRE(result->failure);
        const std::string what = result->failure->what();
        BOOST_TEST(result->code() == code, what);
        for (const std::string_view part : parts)
            BOOST_TEST((what.find(part) != std::string::npos), "'" << part << "' in: " << what);
        for (const char c : what)
            BOOST_TEST_REQUIRE(static_cast<unsigned char>(c) >= 0x20);
    }
}

template <class T>
void check_failure(const std::shared_ptr<outcome<T>>& result, errc code,
    std::initializer_list<std::string_view> parts,
    std::source_location where = std::source_location::current())
{
    check_failure(result, make_error_code(code), parts, where);
}

} // namespace mcp_pool::testing
