// The lines of a server's stderr on their way to somebody's log: escaped, bounded, and no more of them
// than a log can bear.
#pragma once

#include "rpc/text.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace mcp_pool::transport {

// Thread safety: none.
class stderr_lines
{
public:
    using clock = std::chrono::steady_clock;

    // What is shown of one line.
    static constexpr std::size_t max_line_bytes = 2000;
    // Lines that may come at once, and how many a second after that.
    static constexpr int burst = 200;
    static constexpr int per_second = 100;

    // Takes what has come and calls use(std::string) for each line that it completes. Where lines were
    // dropped, a line that says how many precedes the next one.
    template <class Use>
    void feed(std::string_view bytes, clock::time_point now, Use use)
    {
        for (;;) {
            const std::size_t end = bytes.find('\n');
            // One byte too many shows that there was more.
            const std::size_t room = max_line_bytes + 1 - line_.size();
            line_.append(bytes.substr(0, std::min(end, room)));
            if (end == std::string_view::npos)
                return;
            bytes.remove_prefix(end + 1);
            complete(now, use);
        }
    }

    // The stream has ended: the line that it ends in is complete, and nothing is left untold.
    template <class Use>
    void finish(clock::time_point now, Use use)
    {
        complete(now, use);
        tell_dropped(use);
    }

private:
    static constexpr clock::duration interval = clock::duration(std::chrono::seconds(1))
        / per_second;

    template <class Use>
    void complete(clock::time_point now, Use& use)
    {
        std::string_view line = line_;
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        if (!line.empty()) {
            // When this line would come if they came evenly: a burst may be so far ahead.
            const clock::time_point due = std::max(due_, now);
            if (due - now < interval * burst) {
                due_ = due + interval;
                tell_dropped(use);
                use(rpc::escape_foreign(line, max_line_bytes));
            } else {
                ++dropped_;
            }
        }
        line_.clear();
    }

    template <class Use>
    void tell_dropped(Use& use)
    {
        if (const std::uint64_t lines = std::exchange(dropped_, 0); lines != 0)
            use(std::to_string(lines) + (lines == 1 ? " line was" : " lines were")
                + " dropped here: more than " + std::to_string(per_second) + " came in a second");
    }

    std::string line_;
    clock::time_point due_{};
    std::uint64_t dropped_ = 0;
};

} // namespace mcp_pool::transport
