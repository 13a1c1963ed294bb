// In place of schema_validator.cpp where the library that it needs was not found.
#include "session/schema_validator.hpp"

namespace mcp_pool::detail {

std::unique_ptr<const schema_validator> schema_validator::make(
    const json::object&, std::string& fault)
{
    fault = "cannot be checked by this build of mcp-pool: it was made without Valijson";
    return nullptr;
}

} // namespace mcp_pool::detail
