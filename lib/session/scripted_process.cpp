#include "session/scripted_state.hpp"

#include <boost/asio/post.hpp>
#include <boost/json/serialize.hpp>

#include <csignal>

namespace mcp_pool::testing {

namespace {

json::object server_info()
{
    json::object info;
    info["name"] = "scripted";
    info["version"] = "1.0.0";
    return info;
}

json::object capabilities()
{
    json::object c;
    c["tools"] = json::object();
    return c;
}

reply unknown_method()
{
    return reply::error(-32601, "Method not found");
}

reply discover_result()
{
    json::object meta;
    meta["io.modelcontextprotocol/serverInfo"] = server_info();
    json::object result;
    result["resultType"] = "complete";
    result["supportedVersions"] = json::array(1, json::value("2026-07-28"));
    result["capabilities"] = capabilities();
    result["_meta"] = std::move(meta);
    return reply::result(std::move(result));
}

reply initialize_result(const json::object& params)
{
    const json::value* wanted = params.if_contains("protocolVersion");
    json::object result;
    result["protocolVersion"] = wanted ? *wanted : json::value("2025-11-25");
    result["capabilities"] = capabilities();
    result["serverInfo"] = server_info();
    return reply::result(std::move(result));
}

reply only_modern(const json::object& params)
{
    const json::value* wanted = params.if_contains("protocolVersion");
    json::object data;
    data["supported"] = json::array(1, json::value("2026-07-28"));
    data["requested"] = wanted ? *wanted : json::value();
    return reply::error(-32022, "Unsupported protocol version", std::move(data));
}

// One tool, `echo`, which answers with its argument `message`.
reply tool_list()
{
    json::object schema;
    schema["type"] = "object";
    json::object tool;
    tool["name"] = "echo";
    tool["inputSchema"] = std::move(schema);
    json::object result;
    result["resultType"] = "complete";
    result["tools"] = json::array(1, json::value(std::move(tool)));
    return reply::result(std::move(result));
}

reply echo(const json::object& params)
{
    const json::value* arguments = params.if_contains("arguments");
    const json::object* object = arguments ? arguments->if_object() : nullptr;
    const json::value* message = object ? object->if_contains("message") : nullptr;
    json::object block;
    block["type"] = "text";
    block["text"] = message ? *message : json::value("");
    json::object result;
    result["resultType"] = "complete";
    result["content"] = json::array(1, json::value(std::move(block)));
    return reply::result(std::move(result));
}

// Grants what is asked for. The request stays open.
reply acknowledgement(const call& c)
{
    const json::value* const wanted = c.params.if_contains("notifications");
    json::object meta;
    meta["io.modelcontextprotocol/subscriptionId"] = c.id;
    json::object params;
    params["notifications"] = wanted ? *wanted : json::value(json::object());
    params["_meta"] = std::move(meta);
    return reply::silence().before(
        R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":)"
        + json::serialize(params) + "}");
}

} // namespace

scripted_process::scripted_process(std::shared_ptr<scripted_state> server,
    transport::connection_strand strand, transport::transport_events& events)
    : server_(std::move(server))
    , strand_(std::move(strand))
    , events_(&events)
{}

void scripted_process::start()
{
    std::optional<failing_start> failure;
    {
        const std::lock_guard lock(server_->mutex);
        if (!server_->failing.empty()) {
            failure = std::move(server_->failing.front());
            server_->failing.pop_front();
        } else {
            number_ = ++server_->started;
            server_->living[number_] = weak_from_this();
        }
    }
    server_->changed.notify_all();
    post([failure = std::move(failure)](scripted_process& self) {
        if (!self.events_)
            return;
        if (!failure) {
            self.events_->on_started(0);
            return;
        }
        transport::start_failure why;
        why.code = make_error_code(failure->code);
        why.message = failure->message;
        why.permanent = failure->permanent;
        self.ended_ = true;
        std::exchange(self.events_, nullptr)->on_start_failed(std::move(why));
    });
}

void scripted_process::abandon()
{
    events_ = nullptr;
    ended_ = true;
    {
        const std::lock_guard lock(server_->mutex);
        server_->living.erase(number_);
    }
    server_->changed.notify_all();
}

std::size_t scripted_process::take(std::string line)
{
    if (ended_ || stopped_)
        return 0;
    if (reads_) {
        post([line = std::move(line)](scripted_process& self) { self.on_line(line); });
    } else {
        unread_bytes_ += line.size();
        unread_.push_back(std::move(line));
    }
    return unread_bytes_;
}

void scripted_process::set_reading(bool reads)
{
    reads_ = reads;
    while (reads_ && !unread_.empty()) {
        const std::string line = std::move(unread_.front());
        unread_.pop_front();
        unread_bytes_ -= line.size();
        on_line(line);
        if (events_)
            events_->on_write_progress(unread_bytes_);
    }
}

void scripted_process::stop(transport::stop_step step)
{
    stopped_ = true;
    bool ignores = false;
    {
        const std::lock_guard lock(server_->mutex);
        ignores = (step == transport::stop_step::close_input && server_->ignores_close_input)
            || (step == transport::stop_step::terminate && server_->ignores_terminate);
    }
    if (ignores)
        return;
    transport::end_report report;
    if (step == transport::stop_step::close_input)
        report.status = exit_status(exit_status::kind::exited, 0);
    else if (step == transport::stop_step::terminate)
        report.status = exit_status(exit_status::kind::signalled, SIGTERM);
    else
        report.status = exit_status(exit_status::kind::signalled, SIGKILL);
    report.killed = step == transport::stop_step::kill;
    post([report](scripted_process& self) { self.end(report); });
}

void scripted_process::end(transport::end_report report)
{
    if (ended_)
        return;
    ended_ = true;
    {
        const std::lock_guard lock(server_->mutex);
        server_->living.erase(number_);
    }
    server_->changed.notify_all();
    close_output();
    if (events_)
        std::exchange(events_, nullptr)->on_ended(std::move(report));
}

void scripted_process::close_output()
{
    if (!std::exchange(output_open_, false) || !events_ || stopped_)
        return;
    events_->on_end_of_output();
}

void scripted_process::first_output()
{
    if (!std::exchange(has_written_, true) && events_)
        events_->on_first_output();
}

void scripted_process::write(std::string_view line)
{
    if (!output_open_ || stopped_)
        return;
    first_output();
    if (events_ && !line.empty())
        events_->on_line(line);
}

void scripted_process::write_stderr(const std::string& text)
{
    stderr_ += text;
    first_output();
    stderr_lines_.feed(text, std::chrono::steady_clock::now(), [this](std::string line) {
        if (events_)
            events_->on_stderr_line(std::move(line));
    });
}

void scripted_process::on_line(const std::string& line)
{
    if (!ended_)
        reader_.read(line, [this](rpc::message&& m) { on_message(std::move(m)); });
}

void scripted_process::on_answer(rpc::message&& m)
{
    json::object answer;
    answer["id"] = std::move(m.id);
    if (m.type == rpc::message::kind::error) {
        json::object error;
        error["code"] = m.error.code;
        error["message"] = m.error.message;
        answer["error"] = std::move(error);
    } else {
        answer["result"] = std::move(m.content);
    }
    {
        const std::lock_guard lock(server_->mutex);
        server_->answers.push_back(std::move(answer));
    }
    server_->changed.notify_all();
}

void scripted_process::on_message(rpc::message&& m)
{
    if (m.type == rpc::message::kind::result || m.type == rpc::message::kind::error) {
        on_answer(std::move(m));
        return;
    }
    call c;
    c.session = number_;
    c.method.assign(m.method.data(), m.method.size());
    c.params = std::move(m.params);
    c.id = std::move(m.id);
    std::shared_ptr<const script> behaviour;
    {
        const std::lock_guard lock(server_->mutex);
        server_->received.push_back(c);
        behaviour = server_->behaviour;
    }
    server_->changed.notify_all();
    if (m.type != rpc::message::kind::request)
        return;
    std::optional<reply> scripted = *behaviour ? (*behaviour)(c) : std::nullopt;
    reply what = scripted ? std::move(*scripted) : usual_reply(c);
    first_request_ = false;
    if (!what.held_) {
        carry_out(c.id, what);
        return;
    }
    {
        const std::lock_guard lock(server_->mutex);
        server_->waiting.emplace_back(weak_from_this(), std::move(c.id), std::move(what));
    }
    server_->changed.notify_all();
}

reply scripted_process::usual_reply(const call& c)
{
    const personality manner = server_->manner;
    const bool speaks_legacy = manner != personality::modern;
    const bool speaks_modern = manner == personality::modern || manner == personality::dual;
    if (manner == personality::rmcp && first_request_ && c.method != "initialize"
        && c.method != "ping")
        return reply::exit(1);
    if (c.method == "server/discover")
        return speaks_modern ? discover_result() : unknown_method();
    if (c.method == "subscriptions/listen" && speaks_modern)
        return acknowledgement(c);
    if (c.method == "initialize")
        return speaks_legacy ? initialize_result(c.params) : only_modern(c.params);
    if (c.method == "ping")
        return speaks_legacy ? reply::result(json::object()) : unknown_method();
    if (c.method == "tools/list")
        return tool_list();
    if (c.method == "tools/call")
        return echo(c.params);
    return unknown_method();
}

void scripted_process::carry_out(const json::value& id, const reply& what)
{
    // An event may drop the transport, and with it the last owner of this process.
    const auto self = shared_from_this();
    for (const std::string& line : what.before_)
        write(line);
    switch (what.what_) {
    case reply::kind::answer:
        write(R"({"jsonrpc":"2.0","id":)" + json::serialize(id) + "," + what.body_ + "}");
        break;
    case reply::kind::silence:
        break;
    case reply::kind::exit:
    case reply::kind::die: {
        transport::end_report report;
        report.status = exit_status(what.what_ == reply::kind::exit ? exit_status::kind::exited
                                                                    : exit_status::kind::signalled,
            what.status_);
        end(std::move(report));
        break;
    }
    case reply::kind::close_output:
        close_output();
        break;
    }
    for (const std::string& line : what.after_)
        write(line);
}

} // namespace mcp_pool::testing
