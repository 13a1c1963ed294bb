#include "http_servers/scene.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mcp_pool::testing {

namespace {

constexpr std::string_view listening = "listening on ";

// The variables of this process and further ones, as a child wants them.
class variables_of_child
{
public:
    explicit variables_of_child(const std::map<std::string, std::string>& further)
    {
        for (char** inherited = ::environ; *inherited; ++inherited)
            all_.emplace_back(*inherited);
        for (const auto& [name, value] : further)
            all_.push_back(name + "=" + value);
        for (std::string& one : all_)
            pointers_.push_back(one.data());
        pointers_.push_back(nullptr);
    }

    [[nodiscard]] char* const* get() const noexcept { return pointers_.data(); }

private:
    std::vector<std::string> all_;
    std::vector<char*> pointers_;
};

std::string name_in(const request_context& of)
{
    return of.context ? std::static_pointer_cast<user>(of.context)->name : "nobody";
}

} // namespace

http_server_process::http_server_process(asio::io_context& context,
    const std::vector<std::string>& args, const std::map<std::string, std::string>& variables,
    unsigned port)
    : output_(context)
{
    int input[2];
    int output[2];
    BOOST_REQUIRE(::pipe2(input, O_CLOEXEC) == 0);
    BOOST_REQUIRE(::pipe2(output, O_CLOEXEC) == 0);
    input_ = input[1];
    output_.assign(output[0]);
    std::vector<std::string> command{"node", "--import", (node_servers / "as-child.mjs").string()};
    command.insert(command.end(), args.begin(), args.end());
    std::vector<char*> arguments;
    for (std::string& one : command)
        arguments.push_back(one.data());
    arguments.push_back(nullptr);
    auto further = variables;
    further["PORT"] = std::to_string(port);
    const variables_of_child environment(further);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, output[1], 1);
    ::posix_spawn_file_actions_adddup2(&actions, output[1], 2);
    const int error = ::posix_spawnp(
        &pid_, "node", &actions, nullptr, arguments.data(), environment.get());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(input[0]);
    ::close(output[1]);
    BOOST_REQUIRE(error == 0);
    read();
}

http_server_process::~http_server_process()
{
    ::close(input_);
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

void http_server_process::stand_still()
{
    BOOST_REQUIRE(::kill(pid_, SIGSTOP) == 0);
    int status = 0;
    BOOST_REQUIRE(::waitpid(pid_, &status, WUNTRACED) == pid_);
    BOOST_REQUIRE(WIFSTOPPED(status));
}

unsigned http_server_process::port() const
{
    const std::size_t colon = url_.rfind(':');
    return static_cast<unsigned>(std::atoi(url_.c_str() + colon + 1));
}

std::size_t http_server_process::lines(std::string_view prefix) const
{
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(),
        [prefix](const std::string& line) { return line.starts_with(prefix); }));
}

std::string http_server_process::after(std::string_view prefix) const
{
    for (const std::string& line : lines_)
        if (line.starts_with(prefix))
            return line.substr(prefix.size());
    return {};
}

bool http_server_process::has_printed(std::string_view line) const
{
    return std::find(lines_.begin(), lines_.end(), line) != lines_.end();
}

void http_server_process::read()
{
    output_.async_read_some(asio::buffer(buffer_), [this](error_code failure, std::size_t bytes) {
        // Its destruction cancels what is pending; then there is no object any more.
        if (failure)
            return;
        take(bytes);
        read();
    });
}

void http_server_process::take(std::size_t bytes)
{
    text_.append(buffer_.data(), bytes);
    for (std::size_t end; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1)) {
        lines_.push_back(text_.substr(0, end));
        if (lines_.back().starts_with(listening))
            url_ = lines_.back().substr(listening.size());
    }
}

std::shared_ptr<client_handlers> answering::handlers()
{
    auto made = std::make_shared<client_handlers>();
    made->elicit_form = [this](request_context of, json::object) -> asio::awaitable<json::value> {
        asked.push_back(name_in(of));
        json::object result;
        result["action"] = "accept";
        result["content"] = object("name", json::string(asked.back()));
        co_return result;
    };
    made->sampling = [this](request_context of, json::object) -> asio::awaitable<json::value> {
        asked.push_back(name_in(of));
        json::object result;
        result["role"] = "assistant";
        result["model"] = "tested";
        json::object text;
        text["type"] = "text";
        text["text"] = "yes";
        result["content"] = std::move(text);
        co_return result;
    };
    made->roots = [this](request_context of, json::object) -> asio::awaitable<json::value> {
        asked.push_back(name_in(of));
        json::array roots;
        roots.push_back(object("uri", "file:///home"));
        co_return object("roots", std::move(roots));
    };
    made->log_message = [this](const request_context&, const json::object& params) {
        logged.emplace_back(json::serialize(params.at("data")));
    };
    made->resource_updated = [this](const request_context&, const json::object& params) {
        updated.emplace_back(params.at("uri").as_string());
    };
    made->list_changed = [this](
                             const request_context&, list_kind kind) { changed.push_back(kind); };
    return made;
}

http_server_process& http_fixture::serve(const std::vector<std::string>& args, unsigned port)
{
    process.reset();
    process.emplace(context, args, environment, port);
    until([this] { return !process->url().empty(); });
    return *process;
}

http_server_process& http_fixture::serve_features(std::vector<std::string> args, unsigned port)
{
    args.insert(args.begin(), {(node_servers / "features-server.mjs").string(), "http"});
    return serve(args, port);
}

http_server_process& http_fixture::serve_everything(unsigned port)
{
    return serve({script_of("server-everything").string(), "streamableHttp"}, port);
}

session_pool& http_fixture::open(
    server_config config, era_choice era, const pool_overrides& options)
{
    config.era = era;
    config.pool = options;
    config.handlers = handlers;
    pool.emplace(context.get_executor(), std::move(config));
    return *pool;
}

session_pool& http_fixture::open_http(era_choice era, const pool_overrides& options, http_server at)
{
    at.url = process->url();
    server_config config("tested", std::move(at));
    return open(std::move(config), era, options);
}

session_pool& http_fixture::open_features(const std::string& way, const pool_overrides& options)
{
    const era_choice era = way.starts_with("modern") ? era_choice::modern : era_choice::legacy;
    if (way.ends_with("HTTP")) {
        serve_features();
        return open_http(era, options);
    }
    stdio_server by_pipe;
    by_pipe.command = "node";
    by_pipe.args = {(node_servers / "features-server.mjs").string(), "stdio"};
    by_pipe.env = environment;
    server_config config("tested", std::move(by_pipe));
    return open(std::move(config), era, options);
}

asio::awaitable<lease> http_fixture::acquire_as(std::string name)
{
    acquire_options options(30s);
    auto who = std::make_shared<user>();
    who->name = std::move(name);
    options.context = std::move(who);
    return pool->acquire(std::move(options));
}

lease http_fixture::acquired_as(std::string name, std::source_location where)
{
    const auto result = finish(acquire_as(std::move(name)), where);
    BOOST_TEST_CONTEXT("line " << where.line())
    BOOST_REQUIRE_MESSAGE(result->value, why(result));
    return std::move(*result->value);
}

tool_result http_fixture::call(
    lease& session, std::string tool, json::object arguments, std::source_location where)
{
    return got(session->call_tool(std::move(tool), std::move(arguments)), where);
}

std::string http_fixture::said(
    lease& session, std::string tool, json::object arguments, std::source_location where)
{
    return call(session, std::move(tool), std::move(arguments), where).text();
}

void http_fixture::teardown()
{
    if (pool) {
        const auto report = finish(pool->close(20s));
        BOOST_REQUIRE(report->value);
        BOOST_TEST(report->value->forced == 0u);
        BOOST_TEST(report->value->survivors == 0u);
    }
    process.reset();
    BOOST_TEST(marked_processes().empty());
}

} // namespace mcp_pool::testing
