#include "programs/echo_server/stdio_loop.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_pool::echo_server {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t read_size = std::size_t{64} << 10;
constexpr std::size_t largest_line = std::size_t{64} << 20;
constexpr std::size_t largest_backlog = std::size_t{16} << 20;
constexpr auto last_words = std::chrono::seconds(2);

int complain(const char* what, int number)
{
    std::fprintf(stderr, "mcp-pool-echo-server: %s: %s\n", what, std::strerror(number));
    return 1;
}

// Makes writes to a pipe or socket return instead of waiting. Files and terminals stay as they are:
// they take what is written, and their flags are shared with whoever else has them open.
class nonblocking_output
{
public:
    nonblocking_output()
    {
        struct stat what = {};
        if (::fstat(STDOUT_FILENO, &what) == 0
            && (S_ISFIFO(what.st_mode) || S_ISSOCK(what.st_mode))) {
            flags_ = ::fcntl(STDOUT_FILENO, F_GETFL);
            ::fcntl(STDOUT_FILENO, F_SETFL, flags_ | O_NONBLOCK);
        }
    }
    nonblocking_output(const nonblocking_output&) = delete;
    nonblocking_output& operator=(const nonblocking_output&) = delete;
    ~nonblocking_output()
    {
        if (flags_ != -1) {
            ::fcntl(STDOUT_FILENO, F_SETFL, flags_);
        }
    }

private:
    int flags_ = -1;
};

// Splits what is read into lines.
class input
{
public:
    // Reads once and hands complete lines to `on_line`. Returns bytes read, 0 at the end, or -1.
    template <class OnLine>
    ssize_t read_once(OnLine on_line)
    {
        const ssize_t got = ::read(STDIN_FILENO, chunk_, sizeof chunk_);
        if (got <= 0) {
            return got;
        }
        const std::size_t old_size = pending_.size();
        pending_.append(chunk_, static_cast<std::size_t>(got));
        // Only new bytes are searched: a long line in small pieces costs no more than once.
        std::size_t begin = 0;
        std::size_t searched = old_size;
        for (;;) {
            const std::size_t end = pending_.find('\n', searched);
            if (end == std::string::npos) {
                break;
            }
            std::string_view line(pending_.data() + begin, end - begin);
            if (line.ends_with('\r')) {
                line.remove_suffix(1);
            }
            if (!line.empty()) {
                on_line(line);
            }
            begin = searched = end + 1;
        }
        pending_.erase(0, begin);
        return got;
    }

    [[nodiscard]] bool overlong() const noexcept { return pending_.size() > largest_line; }

private:
    std::string pending_;
    char chunk_[read_size];
};

// Writes what the server has put into `queue`.
class output
{
public:
    explicit output(std::string& queue)
        : queue_(queue)
    {}

    [[nodiscard]] std::size_t backlog() const noexcept { return queue_.size() - written_; }

    // Writes what the client takes now. Returns 0, or the error number.
    int write_some()
    {
        while (backlog() != 0) {
            const ssize_t put = ::write(STDOUT_FILENO, queue_.data() + written_, backlog());
            if (put == -1) {
                return errno == EAGAIN || errno == EINTR ? 0 : errno;
            }
            written_ += static_cast<std::size_t>(put);
            // Moving the rest to the front is worth it only when little is left to move.
            if (written_ > queue_.size() / 2) {
                queue_.erase(0, written_);
                written_ = 0;
            }
        }
        return 0;
    }

private:
    std::string& queue_;
    std::size_t written_ = 0;
};

// Waits for input, for room for output, or until `deadline`.
int wait(pollfd (&watched)[2], std::optional<clock::time_point> deadline)
{
    timespec left = {};
    if (deadline) {
        const auto span = std::max(
            std::chrono::nanoseconds(*deadline - clock::now()), std::chrono::nanoseconds(0));
        left.tv_sec = static_cast<time_t>(span / std::chrono::seconds(1));
        left.tv_nsec = static_cast<long>((span % std::chrono::seconds(1)).count());
    }
    return ::ppoll(watched, 2, deadline ? &left : nullptr, nullptr);
}

int flush(output& to_client)
{
    auto deadline = clock::now() + last_words;
    int failure = to_client.write_some();
    while (failure == 0 && to_client.backlog() != 0 && clock::now() < deadline) {
        const std::size_t before = to_client.backlog();
        pollfd watched[2] = {{STDOUT_FILENO, POLLOUT, 0}, {-1, 0, 0}};
        wait(watched, deadline);
        failure = to_client.write_some();
        if (to_client.backlog() < before)
            deadline = clock::now() + last_words;
    }
    if (failure == 0 && to_client.backlog() != 0) {
        failure = ETIME;
    }
    return failure == 0 ? 0 : complain("standard output", failure);
}

} // namespace

int serve_stdio(server& peer)
{
    const nonblocking_output restored_at_the_end;
    input from_client;
    output to_client(peer.output());
    for (;;) {
        const bool listening = to_client.backlog() < largest_backlog;
        pollfd watched[2] = {
            {listening ? STDIN_FILENO : -1, POLLIN, 0},
            {to_client.backlog() != 0 ? STDOUT_FILENO : -1, POLLOUT, 0},
        };
        if (wait(watched, peer.next_event()) == -1) {
            if (errno == EINTR) {
                continue;
            }
            return complain("poll", errno);
        }
        if (watched[0].revents != 0) {
            const auto now = clock::now();
            const ssize_t got = from_client.read_once(
                [&](std::string_view line) { peer.receive(line, now); });
            if (got == 0) {
                return flush(to_client);
            }
            if (got == -1 && errno != EAGAIN && errno != EINTR) {
                return complain("standard input", errno);
            }
            if (from_client.overlong()) {
                return complain("a line of input", EMSGSIZE);
            }
        }
        if (peer.next_event()) {
            peer.advance(clock::now());
        }
        if (const int failure = to_client.write_some()) {
            return complain("standard output", failure);
        }
    }
}

} // namespace mcp_pool::echo_server
