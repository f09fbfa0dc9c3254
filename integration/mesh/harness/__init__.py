"""What the tests of the mesh share: real processes, raw sockets, load, and waiting for conditions."""
