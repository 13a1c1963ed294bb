// Precompiled: what most tests include.
#pragma once

#include "../../lib/precompiled.hpp"

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>
