include_guard()
include(CMakePackageConfigHelpers)

install(TARGETS mcp_pool EXPORT mcp_pool_targets FILE_SET public_headers)
install(EXPORT mcp_pool_targets NAMESPACE mcp_pool::
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mcp_pool)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/mcp_pool-config.cmake.in
    ${PROJECT_BINARY_DIR}/mcp_pool-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mcp_pool)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mcp_pool-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mcp_pool-config.cmake
    ${PROJECT_BINARY_DIR}/mcp_pool-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mcp_pool)
