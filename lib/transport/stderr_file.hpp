// The file to which the stderr of all sessions of a pool is appended.
#pragma once

#include "transport/descriptor.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace mcp_pool::transport {

// Bounded: a file that would grow over the limit is renamed to NAME.1, which replaces a former one, and
// begun anew. Other processes may append to the same file and rename it, too.
//
// Thread safety: everything.
class stderr_file
{
public:
    static constexpr std::size_t usual_limit = std::size_t{16} << 20;

    // Opens the file, or creates it. A relative path counts from the present working directory.
    //
    // Errors: throws boost::system::system_error if it cannot be opened or is no regular file.
    explicit stderr_file(const std::string& path, std::size_t limit = usual_limit);

    // Appends in one piece. What cannot be written is lost: there is nobody to tell.
    void append(std::string_view bytes) noexcept;

private:
    int open() noexcept;
    [[nodiscard]] bool is_current() const noexcept;
    [[nodiscard]] bool make_room(std::size_t bytes) noexcept;

    const std::string path_;
    const std::string former_path_;
    const std::size_t limit_;
    std::mutex mutex_;
    descriptor file_;
};

// What one session appends: whole lines, so that those of several sessions do not mix.
//
// Thread safety: none.
class stderr_appender
{
public:
    // Longer ones are appended in pieces.
    static constexpr std::size_t max_line_bytes = std::size_t{64} << 10;

    explicit stderr_appender(std::shared_ptr<stderr_file> file) noexcept
        : file_(std::move(file))
    {}
    stderr_appender(const stderr_appender&) = delete;
    stderr_appender& operator=(const stderr_appender&) = delete;
    ~stderr_appender() { finish(); }

    void append(std::string_view bytes);
    // Ends the line that the stream has ended in.
    void finish() noexcept;

private:
    const std::shared_ptr<stderr_file> file_;
    std::string unfinished_;
};

} // namespace mcp_pool::transport
