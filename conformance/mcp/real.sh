#!/usr/bin/env bash
# Real servers behind and real clients before the gateway, and nothing else of the matrix.
exec "$(dirname "$0")/../run-mcp.sh" real
