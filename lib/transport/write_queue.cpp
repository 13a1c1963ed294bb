#include "transport/write_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/uio.h>
#include <unistd.h>

namespace mcp_pool::transport {

namespace {

// 0 bytes: the pipe is full.
struct write_result
{
    std::size_t bytes = 0;
    int error = 0;
};

template <class Write>
write_result try_write(Write write) noexcept
{
    for (;;) {
        const ssize_t result = write();
        if (result >= 0)
            return {static_cast<std::size_t>(result), 0};
        if (errno == EAGAIN)
            return {};
        if (errno != EINTR)
            return {0, errno};
    }
}

} // namespace

void write_queue::push(std::string line)
{
    const std::size_t size = line.size();
    lines_.push_back(std::move(line));
    waiting_ += size;
}

int write_queue::write(int fd, std::string line)
{
    const write_result result = try_write([&] { return ::write(fd, line.data(), line.size()); });
    if (result.error != 0)
        return result.error;
    if (result.bytes < line.size()) {
        push(std::move(line));
        written_ = result.bytes;
        waiting_ -= result.bytes;
    }
    return 0;
}

int write_queue::flush(int fd)
{
    while (!lines_.empty()) {
        std::array<iovec, 64> pieces;
        const std::size_t count = std::min(lines_.size(), pieces.size());
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t skipped = i == 0 ? written_ : 0;
            pieces[i].iov_base = lines_[i].data() + skipped;
            pieces[i].iov_len = lines_[i].size() - skipped;
        }
        const write_result result = try_write(
            [&] { return ::writev(fd, pieces.data(), static_cast<int>(count)); });
        if (result.error != 0)
            return result.error;
        if (result.bytes == 0)
            return 0;
        waiting_ -= result.bytes;
        written_ += result.bytes;
        while (!lines_.empty() && written_ >= lines_.front().size()) {
            written_ -= lines_.front().size();
            lines_.pop_front();
        }
    }
    return 0;
}

void write_queue::clear() noexcept
{
    lines_.clear();
    written_ = 0;
    waiting_ = 0;
}

} // namespace mcp_pool::transport
