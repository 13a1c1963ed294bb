// A scripted server of which one step, and every session's, goes wrong in one way.
#pragma once

#include <mcp_pool/testing/scripted_server.hpp>

#include <functional>
#include <memory>
#include <ostream>
#include <vector>

namespace mcp_pool::test {

// What a session goes through, besides serving.
enum class step {
    // The process, up to the word that there is one.
    start,
    // From there to the answer to `initialize`.
    handshake,
    // The answer to the ping of a suspect session.
    probe,
    // The answer to the ping after a lease that left a call unanswered.
    reset,
    // From the word that the session is to end to its end.
    stop,
};

enum class conduct {
    ok,
    // It fails: no process, an error answer, a death, a crash that leaves a descendant behind.
    error,
    // It comes in the end.
    slow,
    // It never comes. Not even SIGKILL ends a session.
    never,
};

std::ostream& operator<<(std::ostream& out, step s);
std::ostream& operator<<(std::ostream& out, conduct c);

// What the sessions of a faulty server share; used on the thread of their context.
struct faults
{
    const step where;
    conduct how;
    // How often the step began.
    std::size_t begun = 0;
    // Starts that wait for release().
    std::vector<std::weak_ptr<std::function<void()>>> held;

    faults(step s, conduct c)
        : where(s)
        , how(c)
    {}

    [[nodiscard]] bool at(step s, conduct c) const noexcept { return where == s && how == c; }
};

// `tools/call` of the tool "hang" is never answered, of others as the personality does.
class faulty_server
{
public:
    faulty_server(step where, conduct how);

    [[nodiscard]] std::shared_ptr<detail::transport_source> source() const;

    // From now on everything is in order, but for the sessions that do not end.
    void mend() noexcept { state_->how = conduct::ok; }
    // Lets what is slow go on.
    void release();

    // How often the step began.
    [[nodiscard]] std::size_t begun() const noexcept { return state_->begun; }
    [[nodiscard]] const testing::scripted_server& scripted() const noexcept { return scripted_; }

private:
    testing::scripted_server scripted_;
    std::shared_ptr<faults> state_;
};

} // namespace mcp_pool::test
