// From a command to a launch plan, and what people read when there is none.
#include "transport/launch.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace mcp_pool;
using namespace mcp_pool::transport;

namespace {

namespace fs = std::filesystem;

struct scratch_directory
{
    fs::path path;

    scratch_directory()
    {
        std::string name = (fs::temp_directory_path() / "mcp_pool_XXXXXX").native();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~scratch_directory() { fs::remove_all(path); }

    std::string file(const char* name, fs::perms permissions = fs::perms::owner_all) const
    {
        fs::create_directories((path / name).parent_path());
        std::ofstream(path / name) << "content";
        fs::permissions(path / name, permissions);
        return (path / name).native();
    }
};

start_failure refused(const stdio_server& server, const environment& child)
{
    const auto planned = plan_launch(server, child);
    BOOST_REQUIRE(std::holds_alternative<start_failure>(planned));
    const auto& failure = std::get<start_failure>(planned);
    BOOST_TEST(failure.code == make_error_code(errc::start_failed));
    BOOST_TEST(failure.permanent);
    return failure;
}

launch_plan planned(const stdio_server& server, const environment& child)
{
    auto result = plan_launch(server, child);
    if (const auto* failure = std::get_if<start_failure>(&result))
        BOOST_FAIL(failure->message);
    return std::get<launch_plan>(std::move(result));
}

stdio_server command(std::string text)
{
    stdio_server server;
    server.command = std::move(text);
    return server;
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(launch_plans, scratch_directory)

BOOST_AUTO_TEST_CASE(the_childs_path_decides_not_the_hosts)
{
    file("one/tool", fs::perms::owner_read);
    file("two/tool");
    const environment child{
        {"PATH", path.native() + "/none:" + path.native() + "/one:" + path.native() + "/two"}};
    const launch_plan plan = planned(command("tool"), child);
    BOOST_TEST(plan.path == path.native() + "/two/tool");
    BOOST_TEST(
        plan.arguments == std::vector<std::string>{"tool"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(relative_commands_and_path_entries_count_from_the_childs_directory)
{
    file("bin/tool");
    stdio_server server = command("./bin/tool");
    server.cwd = path;
    BOOST_TEST(planned(server, {}).path == "./bin/tool");
    server.command = "tool";
    BOOST_TEST(planned(server, {{"PATH", "bin"}}).path == "bin/tool");
    server.cwd = path / "bin";
    BOOST_TEST(planned(server, {{"PATH", "/none:"}}).path == "./tool");
}

BOOST_AUTO_TEST_CASE(without_a_path_the_default_is_searched_and_said)
{
    BOOST_TEST(planned(command("sh"), {}).path.ends_with("/sh"));
    const auto failure = refused(command("no-such-tool"), {});
    BOOST_TEST(contains(failure.message, "/bin:/usr/bin"));
    BOOST_TEST(contains(failure.message, "gets no PATH"));
}

BOOST_AUTO_TEST_CASE(a_command_that_is_not_found_names_the_path_searched)
{
    const auto failure = refused(command("no-such-tool"), {{"PATH", "/usr/lib:/opt"}});
    BOOST_TEST(contains(failure.message, "\"no-such-tool\" was not found"));
    BOOST_TEST(contains(failure.message, "/usr/lib:/opt"));
}

BOOST_AUTO_TEST_CASE(a_missing_file_names_the_directory_it_is_missing_in)
{
    stdio_server server = command("./absent");
    server.cwd = path;
    BOOST_TEST(contains(refused(server, {}).message, path.native()));
    BOOST_TEST(contains(refused(command("/absent/tool"), {}).message, "/absent/tool"));
}

BOOST_AUTO_TEST_CASE(files_that_are_no_programs_are_told_apart)
{
    const std::string plain = file("plain", fs::perms::owner_read);
    BOOST_TEST(contains(refused(command(plain), {}).message, "not executable"));
    BOOST_TEST(contains(refused(command(plain), {}).message, "chmod"));
    BOOST_TEST(contains(refused(command(path.native()), {}).message, "is a directory"));
    const environment child{{"PATH", path.native()}};
    BOOST_TEST(contains(refused(command("plain"), child).message, "not executable"));
}

BOOST_AUTO_TEST_CASE(a_missing_directory_is_said_to_be_missing)
{
    stdio_server server = command("/bin/sh");
    server.cwd = path / "absent";
    BOOST_TEST(contains(refused(server, {}).message, "absent\" does not exist"));
    server.cwd = file("a_file");
    BOOST_TEST(contains(refused(server, {}).message, "cannot be entered"));
}

BOOST_AUTO_TEST_CASE(texts_that_no_process_can_receive_are_refused)
{
    stdio_server server = command("/bin/sh");
    server.args = {std::string("a\0b", 3)};
    BOOST_TEST(contains(refused(server, {}).message, "NUL"));
    BOOST_TEST(contains(refused(command(""), {}).message, "empty"));
    BOOST_TEST(contains(refused(command(std::string("a\0b", 3)), {}).message, "NUL"));
    for (const environment& child :
        {environment{{"A=B", "x"}}, environment{{"", "x"}}, environment{{"A", {"\0", 1}}}}) {
        const auto failure = refused(command("/bin/sh"), child);
        BOOST_TEST(contains(failure.message, "environment variable"));
    }
}

BOOST_AUTO_TEST_CASE(values_of_variables_are_in_the_plan_and_in_no_message)
{
    const launch_plan plan = planned(command("/bin/sh"), {{"TOKEN", "secret"}});
    BOOST_TEST(plan.variables == std::vector<std::string>{"TOKEN=secret"},
        boost::test_tools::per_element());
    for (const int error : {E2BIG, ENOENT, EACCES, ENOEXEC, ETXTBSY, EIO, EMFILE}) {
        const auto failure = explain_failed_launch(
            command("/bin/sh"), plan, launch_stage::execute, error);
        BOOST_TEST(!contains(failure.message, "secret"));
        BOOST_TEST(!failure.message.empty());
    }
}

BOOST_AUTO_TEST_CASE(exhaustion_is_not_the_servers_failure_and_names_the_limit)
{
    const std::pair<int, const char*> limits[] = {{EMFILE, "RLIMIT_NOFILE"}, {ENFILE, "file-max"},
        {EAGAIN, "RLIMIT_NPROC"}, {ENOMEM, "RLIMIT_AS"}};
    for (const auto& [error, name] : limits) {
        BOOST_TEST(is_exhaustion(error));
        const auto failure = explain_failed_launch(
            command("/bin/sh"), launch_plan(), launch_stage::create, error);
        BOOST_TEST(failure.code == make_error_code(errc::resource_exhausted));
        BOOST_TEST(!failure.permanent);
        BOOST_TEST(contains(failure.message, name));
    }
    BOOST_TEST(!is_exhaustion(ENOENT));
}

BOOST_AUTO_TEST_SUITE_END()
