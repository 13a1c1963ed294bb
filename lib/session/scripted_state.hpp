// The inside of testing::scripted_server: what its sessions share, and the transport of one
// session.
#pragma once

#include "rpc/message.hpp"
#include "rpc/writer.hpp"
#include "transport/stderr_lines.hpp"
#include "transport/transport.hpp"

#include <mcp_pool/testing/scripted_server.hpp>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

namespace mcp_pool::testing {

class scripted_process;

struct failing_start
{
    errc code = errc::start_failed;
    std::string message;
    bool permanent = false;

    failing_start() = default;
};

// A reply that waits for release().
struct held_reply
{
    std::weak_ptr<scripted_process> process;
    json::value id;
    reply what;

    held_reply(std::weak_ptr<scripted_process> p, json::value i, reply w)
        : process(std::move(p))
        , id(std::move(i))
        , what(std::move(w))
    {}
};

// Thread safety: everything under `mutex`, which is never held while anything else is called.
struct scripted_state
{
    explicit scripted_state(personality p)
        : manner(p)
    {}

    const personality manner;
    mutable std::mutex mutex;
    mutable std::condition_variable changed;
    std::shared_ptr<const script> behaviour = std::make_shared<const script>();
    std::deque<failing_start> failing;
    bool ignores_close_input = false;
    bool ignores_terminate = false;
    std::size_t started = 0;
    std::map<std::size_t, std::weak_ptr<scripted_process>> living;
    std::deque<held_reply> waiting;
    std::vector<call> received;
    std::vector<json::object> answers;
};

// One session, used on the strand of its connection only. It belongs to its transport and to the
// work that is posted for it; the context must outlive both.
class scripted_process : public std::enable_shared_from_this<scripted_process>
{
public:
    scripted_process(std::shared_ptr<scripted_state> server, transport::connection_strand strand,
        transport::transport_events& events);

    void start();
    // Forgets the connection and ends without a word.
    void abandon();
    std::size_t take(std::string line);
    void stop(transport::stop_step step);
    [[nodiscard]] const std::string& stderr_tail() const noexcept { return stderr_; }
    [[nodiscard]] std::size_t resident_bytes() const noexcept { return resident_bytes_; }
    void occupy(std::size_t bytes) noexcept { resident_bytes_ = bytes; }

    void write(std::string_view line);
    void write_stderr(const std::string& text);
    void close_output();
    void end(transport::end_report report);
    void set_reading(bool reads);
    void carry_out(const json::value& id, const reply& what);

    // Does something to the process on its strand, later.
    template <class F>
    void post(F f)
    {
        asio::post(strand_, [self = shared_from_this(), f = std::move(f)]() mutable { f(*self); });
    }

private:
    void on_line(const std::string& line);
    void on_message(rpc::message&& m);
    void on_answer(rpc::message&& m);
    reply usual_reply(const call& c);
    void first_output();

    const std::shared_ptr<scripted_state> server_;
    const transport::connection_strand strand_;
    // Null after abandon() and after the last event.
    transport::transport_events* events_;
    std::size_t number_ = 0;
    rpc::reader reader_;
    std::string stderr_;
    transport::stderr_lines stderr_lines_;
    std::deque<std::string> unread_;
    std::size_t unread_bytes_ = 0;
    std::size_t resident_bytes_ = 0;
    bool reads_ = true;
    bool has_written_ = false;
    bool output_open_ = true;
    bool stopped_ = false;
    bool ended_ = false;
    bool first_request_ = true;
};

} // namespace mcp_pool::testing
