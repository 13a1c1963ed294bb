#include "modes.hpp"

#include <csignal>
#include <cstdlib>

#include <poll.h>
#include <unistd.h>

namespace misbehaving {

namespace {

using arguments = std::vector<std::string>;

// Serves until the stage is reached: "start" is at once, any other the method of a message.
message reach(conversation& client, const std::string& stage)
{
    return stage == "start" ? message() : client.serve_until(stage);
}

void exit_on(conversation& client, const arguments& args)
{
    reach(client, args[0]);
    std::_Exit(static_cast<int>(number(args, 1, 0)));
}

void exit_after(conversation& client, const arguments& args)
{
    for (long calls = number(args, 0, 1); calls > 0; --calls) {
        client.answer(client.serve_until("tools/call"));
    }
    std::_Exit(static_cast<int>(number(args, 1, 0)));
}

void signal_on(conversation& client, const arguments& args)
{
    reach(client, args[0]);
    const int which = static_cast<int>(number(args, 1, SIGKILL));
    std::signal(which, SIG_DFL);
    std::raise(which);
}

void exit_mid_answer(conversation& client, const arguments& args)
{
    const std::string answer = client.answer_text(reach(client, args[0]));
    client.say_raw(std::string_view(answer).substr(0, answer.size() / 2));
    std::_Exit(0);
}

// As a server with one thread does that waits for something slow in a tool: it neither reads nor
// answers meanwhile.
void block(conversation& client, const arguments& args)
{
    for (;;) {
        const message call = client.serve_until("tools/call");
        if (call.params.find("\"block\"") != std::string::npos) {
            ::poll(nullptr, 0, static_cast<int>(1000 * number(args, 0, 30)));
        }
        client.answer(call);
    }
}

void last_words(conversation& client, const arguments& args)
{
    reach(client, args[0]);
    write_all(STDERR_FILENO, "\x1b[31mfatal\x1b[0m: database \"users\" \xff\xfe is on fire\r\n");
    std::_Exit(1);
}

void first_request_must_be_initialize(conversation& client, const arguments&)
{
    const auto first = client.next();
    if (!first || (first->method != "initialize" && first->method != "ping")) {
        write_all(STDERR_FILENO, "Error: ExpectedInitializeRequest\n");
        std::_Exit(1);
    }
    client.answer(*first);
}

void mute_on(conversation& client, const arguments& args)
{
    reach(client, args[0]);
    client.swallow();
}

void ignore(conversation& client, const arguments& args)
{
    for (;;) {
        client.serve_until(args[0]);
    }
}

void close_output_on(conversation& client, const arguments& args)
{
    reach(client, args[0]);
    ::close(STDOUT_FILENO);
    client.swallow();
}

void stop_reading_on(conversation& client, const arguments& args)
{
    client.answer(reach(client, args[0]));
    for (;;) {
        ::pause();
    }
}

void slow_start(conversation&, const arguments& args)
{
    ::poll(nullptr, 0, static_cast<int>(number(args, 0, 1000)));
}

void stubborn(conversation& client, const arguments&)
{
    std::signal(SIGTERM, SIG_IGN);
    std::signal(SIGINT, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
    while (auto came = client.next()) {
        client.answer(*came);
    }
    for (;;) {
        ::pause();
    }
}

// Starts a process that holds the server's pipes; its pid is the answer to every call. Should a
// test fail to end it, it ends itself.
void with_grandchild(conversation& client, bool own_session)
{
    // The server must not ask before the grandchild has left the session.
    int ready[2];
    if (::pipe(ready) != 0) {
        std::_Exit(1);
    }
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
        if (own_session) {
            ::setsid();
            std::signal(SIGTERM, SIG_IGN);
        }
        ::alarm(300);
        write_all(ready[1], "r");
        ::close(ready[0]);
        ::close(ready[1]);
        for (;;) {
            ::pause();
        }
    }
    char byte;
    while (::read(ready[0], &byte, 1) == -1) {
    }
    ::close(ready[0]);
    ::close(ready[1]);
    client.call_text = std::to_string(grandchild);
}

void grandchild(conversation& client, const arguments&)
{
    with_grandchild(client, false);
}

void grandchild_session(conversation& client, const arguments& args)
{
    with_grandchild(client, true);
    if (!args.empty()) {
        stubborn(client, args);
    }
}

} // namespace

std::vector<mode> endings()
{
    return {
        {"exit-on", "STAGE [STATUS]", "exits at the stage", exit_on, 1},
        {"exit-after", "CALLS [STATUS]", "exits when so many calls are answered", exit_after, 1},
        {"signal-on", "STAGE [SIGNAL]", "ends by the signal (a number) at the stage", signal_on, 1},
        {"exit-mid-answer", "STAGE", "exits in the middle of the line that answers",
            exit_mid_answer, 1},
        {"last-words", "STAGE", "prints colours and invalid UTF-8 to stderr and exits with 1",
            last_words, 1},
        {"rmcp", "", "exits if the first request is neither initialize nor ping",
            first_request_must_be_initialize, 0},
        {"mute-on", "STAGE", "reads on from the stage, says nothing more", mute_on, 1},
        {"ignore", "METHOD", "never answers this method", ignore, 1},
        {"close-output-on", "STAGE", "closes stdout at the stage and lives on", close_output_on, 1},
        {"stop-reading-on", "STAGE", "answers the stage and reads nothing more", stop_reading_on,
            1},
        {"slow-start", "MILLISECONDS", "takes its time before it reads or says anything",
            slow_start, 1},
        {"block", "[SECONDS]",
            "does nothing else for that long (30) during each call whose message is \"block\"",
            block, 0},
        {"stubborn", "", "ignores the end of its input and SIGTERM", stubborn, 0},
        {"grandchild", "", "starts a process that holds its pipes; calls answer with its pid",
            grandchild, 0},
        {"grandchild-session", "[stubborn]",
            "the same, in a session of its own and deaf to SIGTERM; the server too if asked",
            grandchild_session, 0},
    };
}

} // namespace misbehaving
