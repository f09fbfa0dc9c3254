#pragma once

#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "krypton/oracle/v1/oracle.grpc.pb.h"

namespace krypton::oracle {

// OracleService: says back what it is told, or makes what it is asked for. Part of server.h.
class Service : public v1::OracleService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const v1::Everything* request, v1::Everything* response) override;
  grpc::ServerUnaryReactor* EchoLater(grpc::CallbackServerContext* context,
                                      const v1::Everything* request, v1::Nested* response) override;
  grpc::ServerUnaryReactor* GetThing(grpc::CallbackServerContext* context,
                                     const v1::GetThingRequest* request,
                                     v1::GetThingRequest* response) override;
  grpc::ServerUnaryReactor* EchoField(grpc::CallbackServerContext* context,
                                      const v1::FieldRequest* request,
                                      v1::FieldRequest* response) override;
  grpc::ServerUnaryReactor* Make(grpc::CallbackServerContext* context,
                                 const v1::MakeRequest* request, v1::Everything* response) override;
  grpc::ServerUnaryReactor* MakeStruct(grpc::CallbackServerContext* context,
                                       const v1::MakeRequest* request,
                                       google::protobuf::Struct* response) override;
  grpc::ServerUnaryReactor* MakeEmpty(grpc::CallbackServerContext* context,
                                      const v1::MakeRequest* request,
                                      google::protobuf::Empty* response) override;
  grpc::ServerUnaryReactor* MakeText(grpc::CallbackServerContext* context,
                                     const v1::MakeRequest* request,
                                     google::protobuf::StringValue* response) override;
  grpc::ServerUnaryReactor* Fail(grpc::CallbackServerContext* context,
                                 const v1::FailRequest* request, v1::Everything* response) override;
  grpc::ServerUnaryReactor* Metadata(grpc::CallbackServerContext* context,
                                     const v1::MetadataRequest* request,
                                     v1::MetadataResponse* response) override;
  grpc::ServerUnaryReactor* Wait(grpc::CallbackServerContext* context,
                                 const v1::WaitRequest* request,
                                 v1::WaitRequest* response) override;
  grpc::ServerWriteReactor<v1::CountItem>* Count(grpc::CallbackServerContext* context,
                                                 const v1::CountRequest* request) override;
  grpc::ServerUnaryReactor* GetFile(grpc::CallbackServerContext* context,
                                    const v1::MakeRequest* request,
                                    google::api::HttpBody* response) override;
  grpc::ServerWriteReactor<google::api::HttpBody>* StreamFile(
      grpc::CallbackServerContext* context, const v1::MakeRequest* request) override;
  grpc::ServerReadReactor<v1::CountItem>* Sum(grpc::CallbackServerContext* context,
                                              v1::CountItem* response) override;
  grpc::ServerBidiReactor<v1::CountItem, v1::CountItem>* Chat(
      grpc::CallbackServerContext* context) override;

  void AddCancelled();
  int cancelled() const;
  bool WaitForCancelled(int count) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace krypton::oracle
