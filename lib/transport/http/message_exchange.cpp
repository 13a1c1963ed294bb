#include "transport/http/message_exchange.hpp"

#include "protocol/http_headers.hpp"
#include "rpc/ascii.hpp"
#include "transport/http/http_link.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace mcp_pool::transport::http {

namespace {

using protocol::http_answer;
using protocol::http_sent;
using protocol::stream_resumption;
using std::chrono::steady_clock;

// How much a stream may go on, and for how long, when its answer has come: a server that ends it leaves
// its connection to the next request.
constexpr std::uint64_t max_rest = 65536;
constexpr duration longest_rest = std::chrono::seconds(1);

// Nobody can be reached there at present, whatever is sent.
bool is_unreachable(const error_code& code) noexcept
{
    for (const http_errc wrong :
        {http_errc::resolve_failed, http_errc::connect_failed, http_errc::connect_timeout,
            http_errc::proxy_refused, http_errc::tls_failed, http_errc::tls_untrusted,
            http_errc::tls_wrong_host, http_errc::tls_expired, http_errc::tls_timeout})
        if (code == wrong)
            return true;
    return false;
}

error_code code_of(const http_failure& why) noexcept
{
    if (why.code == errc::resource_exhausted)
        return why.code;
    if (why.code == http_errc::bad_request)
        return make_error_code(errc::protocol_error);
    if (!why.sent)
        return make_error_code(errc::not_sent);
    if (why.code == http_errc::body_too_large)
        return make_error_code(errc::message_too_large);
    if (why.code == http_errc::malformed || why.code == http_errc::header_too_large)
        return make_error_code(errc::protocol_error);
    return make_error_code(errc::http_error);
}

// All fields of that name, joined as HTTP joins them.
std::string joined(const header_fields& fields, std::string_view name)
{
    std::string all;
    for (const header_field& field : fields)
        if (rpc::equal_but_for_case(field.name, name)) {
            if (!all.empty())
                all += ", ";
            all += field.value;
        }
    return all;
}

std::string first(const header_fields& fields, std::string_view name)
{
    const std::string* const found = find_field(fields, name);
    return found ? *found : std::string();
}

bool is_answer(const rpc::message& m) noexcept
{
    return m.type == rpc::message::kind::result || m.type == rpc::message::kind::error;
}

} // namespace

message_exchange::message_exchange(http_link& owner, http_sent sent, content what)
    : owner_(&owner)
    , asked_(std::move(sent))
    , sent_(asked_)
    , what_(std::move(what))
{}

void message_exchange::detach() noexcept
{
    owner_ = nullptr;
    under_way_.cancel();
    timer_.reset();
}

void message_exchange::begin()
{
    if (owner_->lets_begin(*this))
        send_again();
}

void message_exchange::send_again()
{
    if (resumption_)
        send("GET", protocol::get_headers(owner_->session(), resumption_->last_event_id()), {});
    else
        send(what_.method, what_.fields, what_.body);
}

void message_exchange::send(
    const std::string& method, header_fields fields, const std::string& body)
{
    const endpoint& server = owner_->server();
    http_request request;
    request.method = method;
    request.target = sent_.target;
    request.fields = std::move(fields);
    request.fields.insert(request.fields.end(), server.headers.begin(), server.headers.end());
    if (server.ask) {
        shared_credentials::given given = owner_->credentials();
        credentials_ = given.generation;
        if (!given.value.empty())
            request.fields.emplace_back("Authorization", std::move(given.value));
    }
    request.body = body;
    request.limits = server.limits;
    request.limits.may_resend = what_.may_resend || method == "GET";
    head_ = {};
    body_.clear();
    received_ = 0;
    stream_.reset();
    under_way_ = owner_->client().start(std::move(request), *this);
}

void message_exchange::on_head(answer_head head)
{
    content_type_ = first(head.fields, "Content-Type");
    location_ = first(head.fields, "Location");
    www_authenticate_ = joined(head.fields, "WWW-Authenticate");
    head_.status = head.status;
    head_.content_type = content_type_;
    head_.location = location_;
    head_.www_authenticate = www_authenticate_;
    use_ = protocol::use_of_body(sent_, head_);
    if (what_.opens && head.status / 100 == 2)
        owner_->note_session_id(find_field(head.fields, "Mcp-Session-Id"));
    if (use_ != protocol::body_use::stream)
        return;
    under_way_.loosen(0, duration::zero());
    stream_.emplace(owner_->server().limits.max_body_bytes);
    if (resumption_)
        resumption_->opened();
    else
        resumption_.emplace(asked_.era,
            asked_.what == http_sent::purpose::listening ? stream_resumption::purpose::listening
                                                         : stream_resumption::purpose::answer);
}

void message_exchange::on_body(std::string_view piece)
{
    received_ += piece.size();
    if (done_)
        return;
    if (stream_)
        take_events(piece);
    else if (use_ == protocol::body_use::message)
        body_.append(piece);
    else
        body_.append(piece.substr(0,
            protocol::max_explanation_bytes
                - std::min(body_.size(), protocol::max_explanation_bytes)));
}

void message_exchange::take_events(std::string_view piece)
{
    const auto keep = shared_from_this();
    stream_->feed(piece);
    while (const auto event = stream_->next()) {
        if (event->is_message())
            take_event(event->data);
        if (!listened() || done_)
            return;
    }
    if (stream_->oversized())
        fail(make_error_code(errc::message_too_large),
            "the server sent an event of more than "
                + std::to_string(owner_->server().limits.max_body_bytes)
                + " bytes (max_message_bytes)");
}

void message_exchange::take_event(std::string_view text)
{
    std::vector<rpc::message> messages;
    const std::size_t valid = owner_->reader().read(text, [&](rpc::message&& m) {
        if (messages.size() < protocol::max_batch)
            messages.push_back(std::move(m));
    });
    if (valid == 0) {
        owner_->deliver_garbage(text);
        return;
    }
    for (rpc::message& m : messages) {
        if (is_answer(m) && !asked_.id.is_null())
            settle(protocol::judge_streamed(asked_, std::move(m)), text);
        else
            owner_->deliver(*this, std::move(m), text);
        if (!listened() || done_)
            return;
    }
}

void message_exchange::on_end()
{
    const auto keep = shared_from_this();
    if (done_)
        owner_->finished(*this);
    else if (stream_)
        go_on(resumption_->ended(*stream_, steady_clock::now()));
    else
        take_body();
}

void message_exchange::take_body()
{
    protocol::http_answer answer = protocol::judge_http(sent_, head_, body_, owner_->reader());
    // The connection refuses it in the same way, and ends the session.
    if (owner_->reader().refused())
        owner_->deliver_garbage(body_);
    if (listened())
        settle(std::move(answer), body_);
}

void message_exchange::on_failure(http_failure why)
{
    const auto keep = shared_from_this();
    if (done_) {
        owner_->finished(*this);
    } else if (stream_) {
        go_on(resumption_->ended(*stream_, steady_clock::now()));
    } else if (resumption_) {
        go_on(resumption_->failed(steady_clock::now()));
    } else {
        request_failure failure;
        failure.code = code_of(why);
        failure.sent = why.sent;
        failure.unreachable = is_unreachable(why.code);
        failure.text = std::move(why.message);
        fail(std::move(failure));
    }
}

void message_exchange::settle(http_answer&& answer, std::string_view text)
{
    switch (answer.type) {
    case http_answer::kind::messages:
        answered_by(std::move(answer), text);
        break;
    case http_answer::kind::era:
        if (answer.messages.empty()) {
            owner_->deliver_verdict(answer.verdict, answer.status);
            if (listened())
                finish();
        } else {
            answered_by(std::move(answer), text);
        }
        break;
    case http_answer::kind::redirect:
        sent_.target = std::move(answer.target);
        ++sent_.redirects;
        send_again();
        break;
    case http_answer::kind::unauthorized:
        refused(answer);
        break;
    case http_answer::kind::session_lost: {
        request_failure lost;
        // What is resumed was begun before.
        lost.sent = resumption_ && !asked_.id.is_null();
        lost.code = make_error_code(lost.sent ? errc::session_closed : errc::not_sent);
        lost.text = std::move(answer.text);
        lost.session_lost = true;
        fail(std::move(lost));
        break;
    }
    case http_answer::kind::failed:
        // A stream that cannot be resumed now may be there a little later; not if nobody knows it.
        if (resumption_ && !stream_)
            go_on(answer.status >= 500 ? resumption_->failed(steady_clock::now())
                                       : resumption_->refused());
        else
            fail(make_error_code(answer.code), std::move(answer.text));
        break;
    case http_answer::kind::event_stream:
    case http_answer::kind::accepted:
    case http_answer::kind::not_offered:
        if (resumption_ && asked_.what != http_sent::purpose::listening)
            go_on(resumption_->refused());
        else
            finish();
        break;
    }
}

void message_exchange::answered_by(http_answer&& answer, std::string_view text)
{
    for (rpc::message& m : answer.messages) {
        const bool last = is_answer(m);
        owner_->deliver(*this, std::move(m), text);
        if (!listened())
            return;
        if (last) {
            finish();
            return;
        }
    }
}

void message_exchange::refused(const http_answer& answer)
{
    if (answer.status == 401 && owner_->server().ask && !std::exchange(asked_again_, true)) {
        owner_->renew_credentials(credentials_, www_authenticate_);
        begin();
        return;
    }
    fail(make_error_code(errc::unauthorized), answer.text);
}

void message_exchange::go_on(stream_resumption::step step)
{
    stream_.reset();
    switch (step) {
    case stream_resumption::step::none:
        break;
    case stream_resumption::step::wait:
        wait(resumption_->deadline());
        break;
    case stream_resumption::step::reconnect:
        sent_.what = asked_.what == http_sent::purpose::listening ? asked_.what
                                                                  : http_sent::purpose::resuming;
        sent_.target = owner_->server().at.target;
        sent_.redirects = 0;
        begin();
        break;
    case stream_resumption::step::give_up:
        lost();
        break;
    }
}

void message_exchange::wait(time_point until)
{
    if (!timer_)
        timer_.emplace(owner_->strand());
    timer_->expires_at(until);
    timer_->async_wait([weak = weak_from_this()](error_code code) {
        const auto keep = code ? nullptr : weak.lock();
        if (keep && keep->listened() && keep->resumption_)
            keep->go_on(keep->resumption_->tick(steady_clock::now()));
    });
}

void message_exchange::lost()
{
    request_failure failure;
    failure.code = make_error_code(errc::http_error);
    if (asked_.what == http_sent::purpose::listening) {
        failure.text = "the stream of what it says unasked ended, and could not be opened again";
        failure.unreachable = true;
    } else {
        failure.text = "the stream ended before the answer came";
    }
    fail(std::move(failure));
}

void message_exchange::finish()
{
    done_ = true;
    timer_.reset();
    if (resumption_)
        resumption_->finished();
    if (stream_)
        under_way_.loosen(received_ + max_rest, longest_rest);
    else
        owner_->finished(*this);
}

void message_exchange::fail(error_code code, std::string text)
{
    request_failure why;
    why.code = code;
    why.text = std::move(text);
    fail(std::move(why));
}

void message_exchange::fail(request_failure why)
{
    done_ = true;
    owner_->failed(*this, std::move(why));
}

} // namespace mcp_pool::transport::http
