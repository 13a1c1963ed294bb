// Lines on their way into a pipe.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

namespace mcp_pool::transport {

// Writes lines whole and in order into a descriptor that does not block, and keeps what it does not
// take.
//
// Thread safety: none.
class write_queue
{
public:
    // Bytes that wait.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

    // Puts `line` behind the others.
    void push(std::string line);

    // Writes `line`, and keeps what is not taken of it. Without allocation if all is taken.
    //
    // Preconditions: nothing waits.
    // Errors: an errno value, nothing is kept then; 0 for none. A full pipe is no error.
    int write(int fd, std::string line);

    // Writes what waits until the pipe is full. Errors as above.
    int flush(int fd);

    void clear() noexcept;

private:
    std::deque<std::string> lines_;
    // How much of the first line has been written.
    std::size_t written_ = 0;
    std::size_t waiting_ = 0;
};

} // namespace mcp_pool::transport
