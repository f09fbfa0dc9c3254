// gRPC runs callbacks (reactors, async stubs) on a few threads that all servers and channels of the
// process share, and ends those threads with the last of these objects. When that goes on one of
// the very threads, as the end of a call may have it, the thread joins itself: gRPC 1.51 hangs or
// frees its queue twice (completion_queue_cc.cc, CallbackAlternativeCQ::Unref).
//
// So the process keeps the threads for ever, and a channel may go on any thread. Called by Server
// and Connect; again costs nothing. Any thread.
#pragma once

namespace krypton::rpc {

void KeepCallbackThreads();

}  // namespace krypton::rpc
