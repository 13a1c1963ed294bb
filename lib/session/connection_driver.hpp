// The implementation of `connection`: drives the machines of the protocol layer with a transport, a
// timer and the requests of leases.
#pragma once

#include "protocol/envelope.hpp"
#include "protocol/handshake.hpp"
#include "protocol/leftovers.hpp"
#include "protocol/request_table.hpp"
#include "rpc/message.hpp"
#include "session/connection.hpp"
#include "session/failure.hpp"
#include "session/handler_call.hpp"
#include "session/lessee.hpp"
#include "session/questions.hpp"
#include "session/request_queue.hpp"
#include "session/subscribing.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <vector>

namespace mcp_pool::detail {

// Everything but the public members, the inbox and the kill switch is on the strand.
class connection_driver final : public connection, private transport::transport_events
{
public:
    connection_driver(asio::any_io_executor pool_executor, std::shared_ptr<server_state> server,
        std::shared_ptr<session_state> state, std::weak_ptr<connection_events> events);
    ~connection_driver() override;

    void start() override;
    void expire_start() override;
    void probe() override;
    void measure() override;
    void reset(std::size_t grant) override;
    void stop(transport::stop_step step, std::string why) override;
    void kill(std::string why) override;
    void let_go(std::shared_ptr<connection> last) noexcept override;
    void submit(request_op* op) override;
    void cancel(std::int64_t id) override;
    void handler_done(std::uint64_t number, handler_outcome outcome) override;
    [[nodiscard]] asio::any_io_executor pool_executor() const override { return pool_executor_; }

private:
    using clock = std::chrono::steady_clock;

    // 0 means no limit.
    static time_point after(time_point now, duration d) noexcept
    {
        return d > duration::zero() ? saturating_add(now, d) : time_point::max();
    }

    enum class phase {
        // Not started.
        created,
        // There is a transport, and the handshake runs.
        starting,
        // The process that did not survive `server/discover` has to end before the next one starts.
        respawning,
        // The start has failed; the report waits a moment for the exit status.
        failing,
        // Lent out, or could be.
        ready,
        // A server over HTTP has forgotten the session, in which nothing was done for those who have it
        // now; it is initialised once more, and what they ask waits.
        reopening,
        // The process has died; what is unanswered waits a moment for the exit status.
        dying,
        // Nothing is left but the end of the transport.
        over,
        // on_ended() was reported.
        ended,
    };

    // A request of our own that is over.
    struct own_request
    {
        enum class kind { none, baseline, health_probe, reset };

        kind what = kind::none;
        // Of a reset.
        std::size_t grant = 0;
        bool undoes = false;

        own_request() = default;
    };

    [[nodiscard]] std::shared_ptr<connection_driver> self()
    {
        return std::static_pointer_cast<connection_driver>(shared_from_this());
    }
    template <class F>
    void post(F f)
    {
        asio::post(strand_, [keep = self(), f = std::move(f)]() mutable { f(*keep); });
    }

    // transport_events
    void on_started(int pid) override;
    void on_start_failed(transport::start_failure why) override;
    void on_first_output() override;
    void on_line(std::string_view line) override;
    void on_stderr_line(std::string line) override;
    void on_oversized_line(std::size_t bytes_so_far) override;
    void on_end_of_output() override;
    void on_write_progress(std::size_t left) override;
    void on_write_failed(error_code code) override;
    void on_ended(transport::end_report report) override;
    void on_message(
        rpc::message&& m, std::string_view text, std::optional<std::int64_t> about) override;
    void on_repaired(std::uint64_t sequences) override;
    void on_verdict(const protocol::era_verdict& verdict, std::string_view what) override;
    void on_request_failed(const json::value& id, transport::request_failure why) override;

    // Life and time: connection.cpp.
    void open_transport();
    void act_on(protocol::handshake::step step);
    void become_ready();
    void begin_respawn();
    void finish_respawn();
    void wake_at(time_point when);
    void on_timer();
    [[nodiscard]] time_point next_deadline() const;

    // Failures and the end: connection_end.cpp.
    void fail_start_soon(errc code, std::string what, bool permanent);
    void report_failed_start(errc code, std::string_view what, bool permanent);
    void begin_dying(std::string what);
    void break_session(errc code, std::string what, std::string_view remedy,
        broken_cause cause = broken_cause::protocol);
    void do_stop(transport::stop_step step, const std::string& why);
    void announce_end();
    void fail_unanswered(errc code, std::string_view what, std::string_view remedy);
    [[nodiscard]] circumstances known() const;
    [[nodiscard]] std::shared_ptr<const diagnostics> explain(
        std::string_view what, std::string_view remedy = {}) const;

    // Over HTTP: connection_http.cpp.
    [[nodiscard]] bool is_http() const noexcept
    {
        return std::holds_alternative<http_server>(server_->config.transport);
    }
    void note_tools(const request_op& op, json::value& result);
    bool lists_again(request_op* op, const rpc::message& m);
    void list_tools_again(json::object params);
    bool on_tools_listed(std::int64_t id, rpc::message& m);
    void fail_start_of(transport::request_failure why);
    bool own_request_failed(std::int64_t id, const transport::request_failure& why);
    void request_failed(std::int64_t id, const transport::request_failure& why);
    [[nodiscard]] bool may_reopen() const noexcept;
    void reopen();
    void reopened();

    // Requests: connection_requests.cpp.
    void take_message(rpc::message&& m);
    void on_answer(rpc::message&& m);
    void on_notification(const rpc::message& m);
    void settle(const protocol::pending_request& request, rpc::message&& m);
    void take_inbox();
    void accept(request_op* op, time_point now);
    void pump();
    void write_queued();
    void write(request_op* op);
    [[nodiscard]] bool may_be_sent_again(const request_op& op) const noexcept;
    // `method` is empty of an answer, `id` null of what is no request.
    void send(std::string line, std::string_view method, const json::value& id = nullptr,
        const json::object* params = nullptr);
    void send_probe(std::int64_t id);
    void note_buffered(std::size_t left);
    [[nodiscard]] bool congested() const noexcept;

    // Results and their text: connection_results.cpp. Each says what is wrong, or nothing.
    static std::string why_not_checked(const request& what);
    static std::string fault_of_output(const request& what, const json::value& result);
    // Puts the text of the result in its place.
    [[nodiscard]] std::string take_text(std::int64_t id, json::value& content) const;
    void refuse_utf8();

    // Requests without an answer: connection_giving_up.cpp.
    [[nodiscard]] duration timeout_of(const request_op& op) const;
    static std::string name_of(const request_op& op);
    void give_up(std::int64_t id, error_code code, std::string_view reason,
        std::shared_ptr<const diagnostics> details);
    void expire_requests(time_point now);
    void finish(request_op* op, error_code code, json::value&& result,
        std::shared_ptr<const diagnostics> details) noexcept;
    // Undo the counting of requests that were accepted, before their handlers can see the outcome.
    static void uncount(grant_record& of, std::size_t requests = 1) noexcept;
    static void uncount(const request_op& op) noexcept { uncount(*op.grant); }
    void deliver_again();

    // Between two leases, and signs of life: connection_reset.cpp.
    void set_baseline();
    [[nodiscard]] bool remembers(const request_op& op) const noexcept;
    [[nodiscard]] protocol::leftovers& leftovers_of(const request_op& op) noexcept
    {
        return leftovers_[op.grant->index];
    }
    void note_altered(grant_record& of) noexcept;
    void do_reset(std::size_t grant);
    void undo(std::size_t grant);
    void send_for_reset(
        std::size_t grant, bool undoes, std::string_view method, const json::object& params);
    void finish_reset(std::size_t grant);
    void fail_reset(std::size_t grant, std::string_view what);
    void do_probe();
    own_request take_own(std::int64_t id);
    bool on_own_answer(std::int64_t id, rpc::message& m);

    // Requests of the server: connection_asking.cpp.
    void answer_server(rpc::message&& m);
    bool ask(rpc::message& m);
    // False if the session had to be broken.
    bool send_answer(std::string line);
    // The request that whatever the server asks or says now is about; null if it cannot be known.
    [[nodiscard]] const request_op* lone_request() const noexcept;
    [[nodiscard]] request_context context_for(const lessee* holder, json::value id) const;
    std::weak_ptr<handler_call> put_to_handler(std::uint64_t number, protocol::question_kind kind,
        const request_op& of, json::value id, json::object params);
    asked_request take_asked(std::vector<asked_request>::iterator at) noexcept;
    void on_handler_done(std::uint64_t number, handler_outcome&& outcome);
    // Nobody answers for a grant any more of which nothing is under way.
    void withdraw(std::size_t grant);
    void withdrawn_by_server(const json::object& params);
    void forget_asked() noexcept;

    // Rounds of requests: connection_rounds.cpp.
    [[nodiscard]] round_trip* rounds_of(const request_op* op) noexcept;
    // False if the result is none that asks for input.
    bool begin_round(request_op* op, json::value& result);
    void answer_round(std::uint64_t number, handler_outcome&& outcome);
    void send_again(round_trip& round);
    void expire_rounds(time_point now);
    [[nodiscard]] time_point next_round() const noexcept;
    template <class Wanted>
    void end_rounds(
        Wanted wanted, error_code code, const std::shared_ptr<const diagnostics>& details);
    void end_rounds_of_lease(const grant_record& of);
    void end_round(
        std::int64_t id, error_code code, const std::shared_ptr<const diagnostics>& details);
    void fail_rounds(errc code, const std::shared_ptr<const diagnostics>& details);
    // The id that the request with this one was last sent with.
    [[nodiscard]] std::int64_t wire_id(std::int64_t id) const noexcept;
    void forget_rounds(const request_op* op) noexcept;

    // What the server reports: connection_notices.cpp.
    [[nodiscard]] bool hears_of_leases() const noexcept;
    [[nodiscard]] bool settles_by_probe() const noexcept;
    void note_holder(const request_op& op);
    void on_notice(const rpc::message& m);
    void tell(const notification_handler& function, grant_record& grant, std::uint64_t generation,
        const std::shared_ptr<const lessee>& holder, const json::object& params);
    void tell_present(const notification_handler& function, const json::object& params);
    void tell_subscribers(const notification_handler& function, const json::object& params);
    void tell_list_changed(protocol::topic::kind which);

    // Results that may be kept: connection_cache.cpp.
    [[nodiscard]] std::optional<protocol::cache_key> key_of(const request_op& op) const;
    bool answer_from_cache(request_op* op);
    void keep_result(const protocol::pending_request& request, const json::value& result);
    void doubt_list(const protocol::pending_request& request, int code);
    void note_change(const rpc::message& m);
    void hear_changes_of(const protocol::cache_key& kept);

    // Subscriptions of the modern era: connection_listening.cpp.
    void begin_listening();
    // Of a list, if the server tells of them.
    void want_changes(protocol::topic::kind which);
    [[nodiscard]] bool is_subscription(const request_op& op) const noexcept;
    void change_subscription(request_op* op);
    void listen_soon();
    void send_listens(std::size_t machine);
    template <class Wanted>
    void end_subscribing(
        Wanted wanted, error_code code, const std::shared_ptr<const diagnostics>& details);
    void give_up_subscribing(
        std::int64_t id, error_code code, const std::shared_ptr<const diagnostics>& details);
    void expire_listening(time_point now);
    [[nodiscard]] time_point next_listening() const;
    void take_news(
        std::size_t machine, const protocol::listening::news& news, const listening_failure& why);
    void end_listen(std::int64_t id, const listening_failure& why);
    [[nodiscard]] listening_failure ended_by_server() const;
    bool on_listen_answer(std::int64_t id, const rpc::message& m);
    bool listen_failed(std::int64_t id, const transport::request_failure& failure);
    bool on_listen_notice(const rpc::message& m);
    void end_listening(std::size_t grant);
    void fail_listening(errc code, const std::string& what, std::string_view remedy);

    // Requests of the server that are answered at the same time.
    static constexpr std::size_t max_asked = 16;
    static constexpr std::size_t max_peer_text = 500;

    const asio::any_io_executor pool_executor_;
    const transport::connection_strand strand_;
    const std::shared_ptr<server_state> server_;
    const std::shared_ptr<session_state> state_;
    const std::weak_ptr<connection_events> events_;
    const protocol::client_abilities abilities_;

    // The way in for requests from any thread; one post takes as many as there are.
    std::mutex inbox_mutex_;
    request_queue inbox_;
    bool inbox_posted_ = false;

    // The way in for kill().
    std::mutex kill_mutex_;
    bool killed_ = false;
    std::function<void()> kill_switch_;

    phase phase_ = phase::created;
    std::unique_ptr<transport::transport> transport_;
    bool transport_ended_ = false;
    transport::end_report end_;
    int pid_ = 0;
    std::chrono::system_clock::time_point started_at_;
    protocol::handshake_settings settings_;
    std::optional<protocol::handshake> handshake_;
    garbage_log garbage_;
    rpc::reader reader_;
    std::uint64_t replaced_reported_ = 0;
    // What a phase waits for at most: the exit status, or the end of the probed process.
    time_point grace_until_ = time_point::max();
    // What is told when the grace is over.
    errc failure_code_ = errc::start_failed;
    std::string failure_;
    bool failure_permanent_ = false;

    std::optional<protocol::envelope> envelope_;
    protocol::request_table table_;
    std::size_t max_in_flight_ = 1;
    // Accepted, not written.
    request_queue queue_;
    // Completed, but there was no memory to hand the outcome over.
    request_queue undelivered_;
    time_point deliver_again_at_ = time_point::max();
    std::vector<protocol::pending_request> expired_;
    // By grant; used in the legacy era, where reset = protocol.
    std::vector<protocol::leftovers> leftovers_;
    // Requests of our own that are unanswered: what grants in reset wait for, the log level set at the
    // start, the probe of the session's health.
    struct reset_request
    {
        std::int64_t id;
        std::size_t grant;
        // An error in answer to it means that something could not be undone; else it is a probe.
        bool undoes;

        reset_request(std::int64_t i, std::size_t g, bool u) noexcept
            : id(i)
            , grant(g)
            , undoes(u)
        {}
    };
    std::vector<reset_request> reset_requests_;
    std::optional<std::int64_t> baseline_;
    std::optional<std::int64_t> health_probe_;

    std::vector<asked_request> asked_;
    std::size_t asked_bytes_ = 0;
    // A list: handlers and deadlines refer to its elements.
    std::list<round_trip> rounds_;
    // Of requests that were put to handlers, in either era.
    std::uint64_t last_number_ = 0;
    // By grant.
    std::vector<listener> listeners_;
    // By grant, and behind them that of the lists; empty in the legacy era.
    std::vector<protocol::listening> listens_;
    listen_ids listen_ids_;
    bool listens_posted_ = false;
    // Lists that were kept or used as they were, so that their changes are of interest.
    std::array<bool, 3> lists_kept_{};
    std::vector<subscribing> subscribing_;
    // For what concerns no lease.
    const std::shared_ptr<notice_queue> notices_;
    // The line or the body that is being read.
    std::string_view reading_;
    // In the answer to which request it came, where the transport can tell.
    std::optional<std::int64_t> about_;
    // By grant: the last lease that got an answer in this session of the server.
    std::vector<std::uint64_t> served_;
    // The request for a page of the tools, before which none is sent, and how many pages came.
    std::optional<std::int64_t> relisting_;
    time_point relist_until_ = time_point::max();
    std::size_t relisted_pages_ = 0;

    // Our share of server_state::buffered_bytes.
    std::size_t buffered_ = 0;
    // While bytes wait for the peer.
    time_point write_deadline_ = time_point::max();

    asio::steady_timer timer_;
    // What the timer is set to; time_point::max(): not set.
    time_point armed_at_ = time_point::max();
    // The timer was late, and what had come meanwhile was given time to be read.
    bool stalled_ = false;
};

} // namespace mcp_pool::detail
