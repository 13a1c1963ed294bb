#include "transport/http/http_link.hpp"

#include "protocol/http_text.hpp"
#include "transport/http/credential_call.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace mcp_pool::transport::http {

namespace {

using protocol::http_sent;

// Requests that change nothing: a server may execute them twice.
bool is_harmless(std::string_view method) noexcept
{
    constexpr std::array<std::string_view, 9> harmless = {"initialize", "server/discover", "ping",
        "tools/list", "prompts/list", "resources/list", "resources/templates/list",
        "resources/read", "prompts/get"};
    return method.starts_with("notifications/")
        || std::find(harmless.begin(), harmless.end(), method) != harmless.end();
}

} // namespace

http_link::http_link(
    connection_strand strand, transport_events& events, std::shared_ptr<const endpoint> server)
    : strand_(std::move(strand))
    , events_(&events)
    , server_(std::move(server))
    , client_(strand_, server_->client)
    , reader_(server_->utf8)
{}

http_link::~http_link()
{
    detach_all();
}

void http_link::start()
{
    asio::post(strand_, [weak = weak_from_this()] {
        const auto keep = weak.lock();
        if (keep && keep->events_)
            keep->events_->on_started(0);
    });
}

std::string http_link::start_hints() const
{
    if (!server_->client.through)
        return {};
    return "it is reached through the proxy " + server_->client.through->title();
}

http_sent http_link::sent_of(http_sent::purpose what) const
{
    http_sent sent;
    sent.what = what;
    sent.era = session_.era;
    sent.in_session = session_.era == era::legacy && !session_.session_id.empty();
    sent.origin = server_->origin;
    sent.target = server_->at.target;
    return sent;
}

void http_link::send(std::string line, const message_facts& facts)
{
    static const json::object nothing;
    if (stopping_)
        return;
    if (line.ends_with('\n'))
        line.pop_back();
    session_.era = facts.era;
    session_.version = facts.version;
    if (facts.method == "initialize") {
        // What belongs to a session before, which the server has forgotten.
        session_.session_id.clear();
        if (listening_)
            (void)take(*std::exchange(listening_, nullptr));
    }
    const bool probe = facts.method == "server/discover" && facts.id.is_string();
    http_sent sent = sent_of(facts.id.is_null() ? http_sent::purpose::notification
            : probe                             ? http_sent::purpose::probe
                                                : http_sent::purpose::request);
    sent.id = facts.id;
    sent.bytes = line.size();
    sent.corrected = probe && probes_++ > 0;
    protocol::header_result headers = protocol::post_headers(
        session_, facts.method, facts.params ? *facts.params : nothing, facts.tool);
    message_exchange::content what;
    what.fields = std::move(headers.fields);
    what.body = std::move(line);
    what.may_resend = is_harmless(facts.method);
    what.opens = facts.method == "initialize";
    if (!headers.fault.empty()) {
        request_failure why;
        why.code = make_error_code(errc::protocol_error);
        why.text = std::move(headers.fault);
        why.sent = false;
        asio::post(
            strand_, [weak = weak_from_this(), id = facts.id, why = std::move(why)]() mutable {
                const auto keep = weak.lock();
                if (keep && keep->events_)
                    keep->events_->on_request_failed(id, std::move(why));
            });
        return;
    }
    const bool initialized = facts.method == "notifications/initialized";
    const auto made = add(std::move(sent), std::move(what));
    if (initialized)
        opening_ = made.get();
    made->begin();
}

std::shared_ptr<message_exchange> http_link::add(http_sent sent, message_exchange::content what)
{
    exchanges_.push_back(
        std::make_shared<message_exchange>(*this, std::move(sent), std::move(what)));
    return exchanges_.back();
}

bool http_link::cancel(std::int64_t id)
{
    const auto found = std::find_if(exchanges_.begin(), exchanges_.end(),
        [id](const auto& exchange) { return exchange->sent().id == id; });
    if (found != exchanges_.end())
        (void)take(*std::shared_ptr(*found));
    return session_.era == era::modern;
}

std::shared_ptr<message_exchange> http_link::take(message_exchange& exchange) noexcept
{
    const auto is = [&exchange](const auto& one) { return one.get() == &exchange; };
    exchange.detach();
    std::erase_if(held_, is);
    const auto found = std::find_if(exchanges_.begin(), exchanges_.end(), is);
    if (found == exchanges_.end())
        return nullptr;
    std::shared_ptr<message_exchange> taken = std::move(*found);
    exchanges_.erase(found);
    return taken;
}

bool http_link::lets_begin(message_exchange& exchange)
{
    const bool first = opening_ == nullptr || opening_ == &exchange;
    if (first && !asking_ && server_->ask && server_->credentials.present().generation == 0)
        ask_credentials(false, {}, {});
    if (first && !asking_)
        return true;
    held_.push_back(exchange.shared_from_this());
    return false;
}

void http_link::release_held()
{
    if (asking_)
        return;
    const auto keep = shared_from_this();
    for (const auto& exchange : std::exchange(held_, {}))
        if (std::find(exchanges_.begin(), exchanges_.end(), exchange) != exchanges_.end())
            exchange->begin();
}

void http_link::note_session_id(const std::string* id)
{
    if (id && protocol::is_session_id(*id))
        session_.session_id = *id;
}

shared_credentials::given http_link::credentials() const
{
    return server_->credentials.present();
}

void http_link::ask_credentials(bool refused, std::string previous, std::string_view challenge)
{
    credential_request request;
    request.server = server_->server;
    request.origin = server_->at.origin();
    request.refused = refused;
    request.previous = std::move(previous);
    request.challenge = challenge;
    asking_ = std::make_shared<credential_call>(shared_from_this(), server_, std::move(request));
    asking_->start();
}

void http_link::renew_credentials(std::uint64_t generation, std::string_view challenge)
{
    shared_credentials::given present = credentials();
    // Another session may have new ones by now.
    if (present.generation == generation && !asking_)
        ask_credentials(true, std::move(present.value), challenge);
}

void http_link::on_credentials(std::optional<std::string> value, const std::string& problem)
{
    if (!std::exchange(asking_, nullptr) || stopping_)
        return;
    if (value) {
        server_->credentials.give(std::move(*value));
        release_held();
        return;
    }
    const auto keep = shared_from_this();
    for (const auto& exchange : std::exchange(held_, {})) {
        request_failure why;
        why.code = make_error_code(errc::unauthorized);
        why.text = problem;
        why.sent = false;
        if (std::find(exchanges_.begin(), exchanges_.end(), exchange) != exchanges_.end())
            failed(*exchange, std::move(why));
    }
}

void http_link::note_repaired()
{
    const std::uint64_t now = reader_.replaced_sequences();
    if (now != repaired_reported_)
        events_->on_repaired(now - std::exchange(repaired_reported_, now));
}

void http_link::deliver(const message_exchange& from, rpc::message&& m, std::string_view text)
{
    note_repaired();
    const std::int64_t* const about = from.sent().id.if_int64();
    events_->on_message(
        std::move(m), text, about ? std::optional(*about) : std::optional<std::int64_t>());
}

void http_link::deliver_garbage(std::string_view text)
{
    events_->on_line(text);
}

void http_link::deliver_verdict(const protocol::era_verdict& verdict, unsigned status)
{
    events_->on_verdict(
        verdict, status == 0 ? std::string("an event stream") : protocol::status_text(status));
}

bool http_link::let_go(message_exchange& exchange)
{
    if (stopping_) {
        conclude();
        return false;
    }
    if (listening_ == &exchange)
        listening_ = nullptr;
    return true;
}

void http_link::finished(message_exchange& exchange)
{
    const auto keep = shared_from_this();
    const auto done = take(exchange);
    if (!let_go(exchange) || opening_ != &exchange)
        return;
    opening_ = nullptr;
    // First, and on the connection that is there: what the server has to say on account of the first
    // request it may say in this stream alone, and loses it where nobody has opened that yet.
    if (server_->listens && events_)
        listen();
    release_held();
}

void http_link::failed(message_exchange& exchange, request_failure why)
{
    const auto keep = shared_from_this();
    const auto done = take(exchange);
    if (!let_go(exchange))
        return;
    if (why.session_lost)
        session_.session_id.clear();
    const bool opening = opening_ == &exchange;
    if (opening)
        opening_ = nullptr;
    if (events_)
        events_->on_request_failed(exchange.sent().id, std::move(why));
    if (opening && events_ && !stopping_)
        release_held();
}

void http_link::listen()
{
    message_exchange::content what;
    what.method = "GET";
    what.fields = protocol::get_headers(session_);
    const auto made = add(sent_of(http_sent::purpose::listening), std::move(what));
    listening_ = made.get();
    made->begin();
}

void http_link::stop(stop_step step)
{
    const bool first = !std::exchange(stopping_, true);
    if (first || step != stop_step::close_input)
        detach_all();
    if (step != stop_step::close_input || session_.era != era::legacy
        || session_.session_id.empty()) {
        conclude();
        return;
    }
    if (!first)
        return;
    message_exchange::content what;
    what.method = "DELETE";
    what.fields = protocol::delete_headers(session_);
    add(sent_of(http_sent::purpose::ending), std::move(what))->begin();
}

void http_link::conclude()
{
    if (std::exchange(concluded_, true))
        return;
    asio::post(strand_, [weak = weak_from_this()] {
        const auto keep = weak.lock();
        if (keep && keep->events_)
            keep->events_->on_ended({});
    });
}

void http_link::detach_all() noexcept
{
    opening_ = nullptr;
    listening_ = nullptr;
    held_.clear();
    for (const auto& exchange : std::exchange(exchanges_, {}))
        exchange->detach();
    if (const auto asking = std::exchange(asking_, nullptr))
        asking->cancel();
}

void http_link::abandon() noexcept
{
    events_ = nullptr;
    stopping_ = true;
    detach_all();
}

} // namespace mcp_pool::transport::http
