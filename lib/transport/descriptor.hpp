// File descriptors that are closed once, and never stand where a host expects its standard streams.
#pragma once

#include <utility>

#include <unistd.h>

namespace mcp_pool::transport {

// Owns one descriptor.
class descriptor
{
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept
        : fd_(fd)
    {}
    descriptor(descriptor&& other) noexcept
        : fd_(other.release())
    {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        reset(other.release());
        return *this;
    }
    ~descriptor() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    void reset(int fd = -1) noexcept
    {
        // Linux releases the number even when close() is interrupted: never repeated.
        const int former = std::exchange(fd_, fd);
        if (former >= 0)
            ::close(former);
    }

private:
    int fd_ = -1;
};

// Fills the closed ones of descriptors 0, 1 and 2 while it exists, so that what is opened meanwhile
// gets a number from 3 on: a host that runs without standard streams and still prints would write
// into our pipes otherwise. The plugs are O_PATH descriptors: for a host that uses one meanwhile
// they fail with EBADF, like the closed descriptor.
//
// Thread safety: everything; plugs of several threads stay until the last of them goes.
class low_descriptors_plug
{
public:
    low_descriptors_plug() noexcept;
    low_descriptors_plug(const low_descriptors_plug&) = delete;
    low_descriptors_plug& operator=(const low_descriptors_plug&) = delete;
    ~low_descriptors_plug();
};

// `fd`, or where that is below 3 a duplicate that is not, close-on-exec: where a plug stood in the way
// of nothing, because somebody else had that number for a moment. -1 and errno if there is none.
int lifted(int fd) noexcept;

} // namespace mcp_pool::transport
