// The requests of a connection: from the inbox through the queue to the peer, and their answers.
#include "protocol/result_shape.hpp"
#include "rpc/text.hpp"
#include "session/connection_driver.hpp"

#include <utility>

namespace mcp_pool::detail {

namespace {

double number(const json::object& from, std::string_view name, bool& present) noexcept
{
    const json::value* found = from.if_contains(json::string_view(name.data(), name.size()));
    error_code conversion;
    const double value = found ? found->to_number<double>(conversion) : 0;
    present = found && !conversion;
    return present ? value : 0;
}

progress progress_of(const json::object& params)
{
    progress news;
    bool present = false;
    news.value = number(params, "progress", present);
    const double total = number(params, "total", present);
    if (present)
        news.total = total;
    if (const json::value* text = params.if_contains("message"); text && text->is_string())
        news.message.assign(text->get_string().data(), text->get_string().size());
    return news;
}

} // namespace

void connection_driver::submit(request_op* op)
{
    // The count goes first: see grant_record::leased().
    op->grant->unanswered.fetch_add(1);
    if (!op->grant->leased(op->generation)) {
        uncount(*op);
        // No generation of a lease: accept() will refuse it.
        op->generation = 0;
    }
    {
        const std::lock_guard lock(inbox_mutex_);
        inbox_.push_back(op);
        if (std::exchange(inbox_posted_, true))
            return;
    }
    try {
        post([](connection_driver& c) { c.take_inbox(); });
    } catch (const std::exception&) {
        // No memory. The next request, timer or stop finds what is in the inbox.
        const std::lock_guard lock(inbox_mutex_);
        inbox_posted_ = false;
    }
}

void connection_driver::take_inbox()
{
    request_queue arrived = [this] {
        const std::lock_guard lock(inbox_mutex_);
        inbox_posted_ = false;
        return request_queue(std::move(inbox_));
    }();
    if (arrived.empty())
        return;
    const time_point now = clock::now();
    while (request_op* op = arrived.pop_front())
        accept(op, now);
    pump();
}

void connection_driver::accept(request_op* op, time_point now)
{
    if (op->generation == 0) {
        finish(op, make_error_code(errc::lease_released), nullptr,
            explain("the lease through which " + name_of(*op) + " was started has ended",
                "acquire a new one"));
    } else if (!op->grant->leased(op->generation)) {
        uncount(*op);
        finish(op, asio::error::operation_aborted, nullptr, nullptr);
    } else if (phase_ != phase::ready && phase_ != phase::dying && phase_ != phase::reopening) {
        uncount(*op);
        finish(op, make_error_code(errc::not_sent), nullptr,
            explain(failure_ + " before " + name_of(*op) + " was sent; repeating it is safe",
                acquire_again));
    } else if (!answer_from_cache(op)) {
        op->deadline = after(now, timeout_of(*op));
        queue_.push_back(op);
        wake_at(op->deadline);
    }
}

bool connection_driver::congested() const noexcept
{
    // A connection that has nothing in the queue may always hand over one message: otherwise one
    // peer that does not read could silence all the others for ever.
    const std::size_t limit = server_->options.max_buffered_bytes;
    return buffered_ > 0 && limit > 0
        && server_->buffered_bytes.load(std::memory_order_relaxed) > limit;
}

void connection_driver::pump()
{
    if (!queue_.several() || !transport_ || !transport_->begin_burst()) {
        write_queued();
        return;
    }
    try {
        write_queued();
    } catch (const std::exception&) {
        transport_->end_burst();
        throw;
    }
    note_buffered(transport_->end_burst());
}

void connection_driver::write_queued()
{
    while (phase_ == phase::ready && !queue_.empty() && !congested() && !relisting_) {
        const request_op& next = *queue_.front();
        if (table_.size() >= max_in_flight_ && !next.request.notification && !is_subscription(next))
            return;
        write(queue_.pop_front());
    }
}

void connection_driver::write(request_op* op)
{
    const request& what = op->request;
    const auto refuse = [&](errc code, const std::string& text, std::string_view remedy) {
        uncount(*op);
        finish(op, make_error_code(code), nullptr, explain(text, remedy));
    };
    if (is_subscription(*op)) {
        change_subscription(op);
        return;
    }
    if (!protocol::exists(what.method, envelope_->speaks())) {
        refuse(errc::method_not_supported,
            name_of(*op) + " is no request for a session of the "
                + std::string(to_string(envelope_->speaks())) + " era",
            protocol::remedy_for(what.method, envelope_->speaks()));
        return;
    }
    if (const std::string reason = why_not_checked(what); !reason.empty()) {
        // Not to be found out when the tool has done its work.
        refuse(errc::protocol_error,
            "the outputSchema " + reason + "; " + name_of(*op) + " was not sent",
            "leave `output` of its options unset to go without the check");
        return;
    }
    const duration idle = op->request.options.idle_timeout.value_or(duration::zero());
    const bool wants_progress = what.options.progress || idle > duration::zero();
    const std::int64_t id = rounds_of(op) ? state_->next_request_id() : op->id;
    std::string line = what.notification
        ? envelope_->notification(what.method, what.params)
        : envelope_->request(id, what.method, what.params, what.options.meta, wants_progress);
    if (line.size() > server_->options.max_message_bytes) {
        refuse(errc::message_too_large,
            name_of(*op) + " would be a message of " + std::to_string(line.size())
                + " bytes, more than max_message_bytes ("
                + std::to_string(server_->options.max_message_bytes) + "); it was not sent",
            "raise max_message_bytes or send less");
        return;
    }
    note_holder(*op);
    if (what.notification) {
        send(std::move(line), what.method, nullptr, &what.params);
        uncount(*op);
        finish(op, {}, nullptr, nullptr);
        return;
    }
    protocol::pending_request pending;
    pending.id = id;
    pending.grant = op->grant->index;
    pending.op = op;
    pending.sent_at = clock::now();
    pending.deadline = op->deadline;
    pending.idle = idle;
    pending.idle_deadline = after(pending.sent_at, idle);
    if (auto key = key_of(*op))
        pending.kept_as = std::make_shared<const protocol::cache_key>(std::move(*key));
    table_.insert(pending);
    wake_at(pending.due());
    if (remembers(*op)) {
        leftovers_of(*op).written(op->id, op->request);
        note_altered(*op->grant);
    }
    // The arguments may be large, and the line has them now.
    json::object spent;
    const bool again = may_be_sent_again(*op);
    if (!again)
        spent = std::move(op->request.params);
    send(std::move(line), what.method, id, again ? &op->request.params : &spent);
}

bool connection_driver::may_be_sent_again(const request_op& op) const noexcept
{
    if (remembers(op) || is_http())
        return true;
    return envelope_->speaks() == era::modern && protocol::multi_round::allowed(op.request.method);
}

void connection_driver::send(
    std::string line, std::string_view method, const json::value& id, const json::object* params)
{
    transport::message_facts facts;
    facts.method = method;
    facts.id = id;
    facts.params = params;
    std::shared_ptr<const protocol::tool_headers> tool;
    if (is_http() && method == "tools/call" && params)
        if (const json::value* const name = params->if_contains("name"); name && name->is_string())
            tool = server_->tools.find({name->get_string().data(), name->get_string().size()});
    facts.tool = tool.get();
    if (envelope_) {
        facts.era = envelope_->speaks();
        facts.version = state_->info->protocol_version;
    }
    note_buffered(transport_->send(std::move(line), facts));
}

void connection_driver::note_buffered(std::size_t left)
{
    if (left == buffered_)
        return;
    // Unsigned arithmetic: the difference may be negative.
    server_->buffered_bytes.fetch_add(left - buffered_, std::memory_order_relaxed);
    if (left == 0) {
        write_deadline_ = time_point::max();
    } else if (buffered_ == 0) {
        write_deadline_ = after(clock::now(), server_->options.write_timeout);
        wake_at(write_deadline_);
    }
    buffered_ = left;
}

void connection_driver::on_write_progress(std::size_t left)
{
    const auto keep = self();
    note_buffered(left);
    if (left > 0)
        write_deadline_ = after(clock::now(), server_->options.write_timeout);
    pump();
}

void connection_driver::on_line(std::string_view line)
{
    const auto keep = self();
    reading_ = line;
    const std::size_t messages = reader_.read(
        line, [this](rpc::message&& m) { take_message(std::move(m)); });
    if (messages == 0 && !reader_.refused()) {
        server_->garbage_lines.fetch_add(1, std::memory_order_relaxed);
        garbage_.add(line);
    }
    if (const std::uint64_t replaced = reader_.replaced_sequences();
        replaced != replaced_reported_) {
        server_->replaced_sequences.fetch_add(
            replaced - std::exchange(replaced_reported_, replaced), std::memory_order_relaxed);
    }
    reading_ = {};
    if (reader_.refused())
        refuse_utf8();
    deliver_again();
}

void connection_driver::take_message(rpc::message&& m)
{
    switch (m.type) {
    case rpc::message::kind::request:
        answer_server(std::move(m));
        break;
    case rpc::message::kind::notification:
        on_notification(m);
        break;
    case rpc::message::kind::result:
    case rpc::message::kind::error:
        if (phase_ == phase::starting || phase_ == phase::reopening)
            act_on(handshake_->answer(std::move(m), clock::now()));
        else if (phase_ == phase::ready || phase_ == phase::dying)
            on_answer(std::move(m));
        break;
    case rpc::message::kind::invalid:
        break;
    }
}

void connection_driver::on_notification(const rpc::message& m)
{
    if (phase_ != phase::ready)
        return;
    if (m.method != "notifications/progress") {
        on_notice(m);
        return;
    }
    const json::value* token = m.params.if_contains("progressToken");
    const std::int64_t* id = token ? token->if_int64() : nullptr;
    if (!id)
        return;
    protocol::pending_request* request = table_.progressed(*id, clock::now());
    if (request && request->op->request.options.progress)
        request->op->post_progress(progress_of(m.params));
}

void connection_driver::on_answer(rpc::message&& m)
{
    const std::optional<std::int64_t> id = m.integer_id();
    if (id && on_own_answer(*id, m))
        return;
    protocol::pending_request request;
    bool counted = false;
    const auto match = id ? table_.take(*id, request, counted) : protocol::answer_match::unknown;
    // Before a lease can be given back: a session that dies after it is no failed start.
    if (match != protocol::answer_match::unknown)
        state_->answered.store(true, std::memory_order_relaxed);
    switch (match) {
    case protocol::answer_match::pending:
        settle(request, std::move(m));
        pump();
        break;
    case protocol::answer_match::late:
        uncount(state_->grant(request.grant), counted ? 1 : 0);
        server_->late_answers.fetch_add(1, std::memory_order_relaxed);
        break;
    case protocol::answer_match::unknown:
        server_->unknown_answers.fetch_add(1, std::memory_order_relaxed);
        break;
    }
}

void connection_driver::settle(const protocol::pending_request& request, rpc::message&& m)
{
    request_op* const op = request.op;
    server_->call_times.record(clock::now() - request.sent_at);
    served_[op->grant->index] = op->generation;
    withdraw(op->grant->index);
    if (m.type == rpc::message::kind::result && begin_round(op, m.content))
        return;
    if (is_http() && lists_again(op, m))
        return;
    // Before the handler can run: a lease that is released there must be found clean.
    if (remembers(*op)) {
        leftovers_of(*op).answered(op->id, op->request, m.type == rpc::message::kind::result);
        note_altered(*op->grant);
    }
    uncount(*op);
    if (m.unreadable) {
        finish(op, make_error_code(errc::protocol_error), nullptr,
            explain("the answer to " + name_of(*op) + " cannot be read: " + m.error.message));
        return;
    }
    if (m.type == rpc::message::kind::error) {
        doubt_list(request, m.error.code);
        circumstances here;
        here.server = server_->config.name;
        diagnostics details = describe(here,
            name_of(*op) + " was answered with error " + std::to_string(m.error.code) + ": "
                + rpc::escape_foreign(m.error.message, max_peer_text));
        const int code = m.error.code;
        details.rpc = std::move(m.error);
        finish(op, error_code(code, rpc_category()), nullptr,
            std::make_shared<const diagnostics>(std::move(details)));
        return;
    }
    std::string fault = protocol::fault_of_result(m.content, envelope_->speaks());
    if (fault.empty() && op->request.typed)
        fault = protocol::fault_of_shape(op->request.method, m.content);
    if (is_http() && fault.empty())
        note_tools(*op, m.content);
    if (fault.empty())
        fault = fault_of_output(op->request, m.content);
    if (fault.empty())
        keep_result(request, m.content);
    if (fault.empty() && op->request.as_text)
        fault = take_text(request.id, m.content);
    if (!fault.empty())
        finish(op, make_error_code(errc::protocol_error), nullptr,
            explain("the answer to " + name_of(*op) + " cannot be used: " + fault));
    else
        finish(op, {}, std::move(m.content), nullptr);
}

} // namespace mcp_pool::detail
