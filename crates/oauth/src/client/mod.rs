//! The side of a client: of the authorization servers that MCP servers name.
