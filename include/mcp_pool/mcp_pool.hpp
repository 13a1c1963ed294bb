// The whole public interface, without Beast, Process or prometheus-cpp.
#pragma once

#include <mcp_pool/acquire_options.hpp>
#include <mcp_pool/call_options.hpp>
#include <mcp_pool/close_report.hpp>
#include <mcp_pool/error.hpp>
#include <mcp_pool/handlers.hpp>
#include <mcp_pool/lease.hpp>
#include <mcp_pool/output_schema.hpp>
#include <mcp_pool/pool_events.hpp>
#include <mcp_pool/pool_options.hpp>
#include <mcp_pool/pool_stats.hpp>
#include <mcp_pool/server.hpp>
#include <mcp_pool/session.hpp>
#include <mcp_pool/session_pool.hpp>
#include <mcp_pool/types.hpp>
