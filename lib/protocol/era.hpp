// What an answer to `server/discover` or `initialize` says about the era of a server.
#pragma once

#include "rpc/message.hpp"

#include <string>
#include <string_view>

namespace mcp_pool::protocol {

struct era_verdict
{
    enum class kind {
        // Modern; `version` is the one to use. The answer was a DiscoverResult.
        modern,
        // Modern, but the request was refused; `version` is worth one more try, even if it is the
        // one
        // that was asked for.
        modern_retry,
        // Legacy: `initialize` will tell.
        legacy,
        // No revision in common; `offered` says what the server speaks.
        no_common_version,
    };

    kind type = kind::legacy;
    std::string version;
    std::string offered;

    era_verdict() = default;
};

// Judges an answer to `server/discover`. Only a DiscoverResult and -32022 with a valid list are
// evidence for the modern era; every other error or result is legacy, whatever its code.
//
// Source: MCP 2026-07-28, basic/transports/stdio, "Backward Compatibility".
era_verdict judge_discover_answer(const rpc::message& answer);

// Whether an error is the recognized modern one: -32022 whose `data.supported` is a non-empty array
// of strings. The verdict is then that of the list.
bool is_modern_refusal(const rpc_error& error) noexcept;

era_verdict judge_modern_refusal(const rpc_error& error);

} // namespace mcp_pool::protocol
