package main

import (
	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

func checkCreate(s *session) error {
	request := s.request("with a key")
	request.IdempotencyKey = "key"
	var trailer metadata.MD
	created, err := s.service.CreateWorkflow(s.ctx, request, grpc.Trailer(&trailer))
	if err != nil {
		return err
	}
	if !uuid7.MatchString(created.GetId()) {
		s.fail("the id is %q, not a UUIDv7", created.GetId())
	}
	s.expectWritten(trailer, 1, false)

	again, err := s.service.CreateWorkflow(s.ctx, request, grpc.Trailer(&trailer))
	if err != nil {
		return err
	}
	expect(s, "the id of a repeat", again.GetId(), created.GetId())
	s.expectWritten(trailer, 1, true)

	request.Interval++
	_, err = s.create(request)
	refusal := s.expectRefusal(err, codes.AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
	expect(s, "the workflow of a used key", refusal.resource.GetResourceName(), created.GetId())

	request.Name, request.Kind, request.Interval = "", "cron", 0
	_, err = s.create(request)
	s.expectBadFields(err, "name", "kind", "interval")
	return nil
}

func checkGet(s *session) error {
	id, err := s.create(s.request("Grüße"))
	if err != nil {
		return err
	}
	var trailer metadata.MD
	got, err := s.service.GetWorkflow(
		s.ctx, &workflows.GetWorkflowRequest{Id: id, UserId: s.user}, grpc.Trailer(&trailer),
	)
	if err != nil {
		return err
	}
	s.expectVersion(trailer, 1)
	expect(s, "id", got.GetId(), id)
	expect(s, "name", got.GetName(), "Grüße")
	expect(s, "payload", got.GetPayload(), payload)
	expect(s, "kind", got.GetKind(), "http")
	expect(s, "build_status", got.GetBuildStatus(), "pending")
	expect(s, "interval", got.GetInterval(), 5)
	expect(s, "consecutive_job_failures_count", got.GetConsecutiveJobFailuresCount(), 0)
	expect(s, "max_consecutive_job_failures_allowed", got.GetMaxConsecutiveJobFailuresAllowed(), 2)
	s.expectTime("created_at", got.GetCreatedAt())
	expect(s, "updated_at", got.GetUpdatedAt(), got.GetCreatedAt())
	expect(s, "terminated_at", got.GetTerminatedAt(), "")
	expect(s, "log_retention", got.GetLogRetention(), false)
	expect(s, "generation", got.GetGeneration(), 1)

	_, err = s.service.GetWorkflow(s.ctx, &workflows.GetWorkflowRequest{Id: id, UserId: "somebody else"})
	s.expectNotFound(err, id)
	_, err = s.service.GetWorkflow(s.ctx, &workflows.GetWorkflowRequest{Id: "7"})
	s.expectBadFields(err, "id", "user_id")
	return nil
}

func checkGetByID(s *session) error {
	request := s.request("by id")
	request.LogRetention = nil
	id, err := s.create(request)
	if err != nil {
		return err
	}
	var trailer metadata.MD
	got, err := s.service.GetWorkflowByID(
		s.ctx, &workflows.GetWorkflowByIDRequest{Id: id}, grpc.Trailer(&trailer),
	)
	if err != nil {
		return err
	}
	s.expectVersion(trailer, 1)
	expect(s, "id", got.GetId(), id)
	expect(s, "user_id", got.GetUserId(), s.user)
	expect(s, "name", got.GetName(), "by id")
	expect(s, "payload", got.GetPayload(), payload)
	expect(s, "kind", got.GetKind(), "http")
	expect(s, "build_status", got.GetBuildStatus(), "pending")
	expect(s, "interval", got.GetInterval(), 5)
	expect(s, "consecutive_job_failures_count", got.GetConsecutiveJobFailuresCount(), 0)
	expect(s, "max_consecutive_job_failures_allowed", got.GetMaxConsecutiveJobFailuresAllowed(), 2)
	s.expectTime("created_at", got.GetCreatedAt())
	expect(s, "updated_at", got.GetUpdatedAt(), got.GetCreatedAt())
	expect(s, "terminated_at", got.GetTerminatedAt(), "")
	expect(s, "log_retention where it was not given", got.GetLogRetention(), true)
	expect(s, "generation", got.GetGeneration(), 1)

	_, err = s.service.GetWorkflowByID(s.ctx, &workflows.GetWorkflowByIDRequest{Id: nobody})
	s.expectNotFound(err, nobody)
	return nil
}

func checkUpdate(s *session) error {
	id, err := s.create(s.request("before"))
	if err != nil {
		return err
	}
	if err := s.increment(id, "job", false, 2, false); err != nil {
		return err
	}
	request := &workflows.UpdateWorkflowRequest{
		Id:                               id,
		UserId:                           s.user,
		Name:                             "after",
		Payload:                          `{"url": "https://example.org/2"}`,
		Interval:                         6,
		MaxConsecutiveJobFailuresAllowed: 3,
		IdempotencyKey:                   "key",
	}
	for _, replayed := range []bool{false, true} {
		var trailer metadata.MD
		if _, err := s.service.UpdateWorkflow(s.ctx, request, grpc.Trailer(&trailer)); err != nil {
			return err
		}
		s.expectWritten(trailer, 3, replayed)
	}
	got, err := s.get(id)
	if err != nil {
		return err
	}
	expect(s, "name", got.GetName(), "after")
	expect(s, "payload", got.GetPayload(), request.GetPayload())
	expect(s, "interval", got.GetInterval(), 6)
	expect(s, "max_consecutive_job_failures_allowed", got.GetMaxConsecutiveJobFailuresAllowed(), 3)
	expect(s, "consecutive_job_failures_count", got.GetConsecutiveJobFailuresCount(), 0)
	expect(s, "generation", got.GetGeneration(), 2)

	request.IdempotencyKey = ""
	var trailer metadata.MD
	if _, err := s.service.UpdateWorkflow(s.ctx, request, grpc.Trailer(&trailer)); err != nil {
		return err
	}
	s.expectWritten(trailer, 3, false) // Nothing changed, nothing was recorded.

	request.Name, request.IdempotencyKey = "other", "key"
	_, err = s.service.UpdateWorkflow(s.ctx, request)
	s.expectRefusal(err, codes.AlreadyExists, "IDEMPOTENCY_KEY_REUSED")
	request.Payload, request.MaxConsecutiveJobFailuresAllowed = "[]", 101
	_, err = s.service.UpdateWorkflow(s.ctx, request)
	s.expectBadFields(err, "payload", "max_consecutive_job_failures_allowed")
	_, err = s.service.UpdateWorkflow(s.ctx, &workflows.UpdateWorkflowRequest{
		Id: nobody, UserId: s.user, Name: "n", Payload: "{}", Interval: 1, MaxConsecutiveJobFailuresAllowed: 1,
	})
	s.expectNotFound(err, nobody)
	return nil
}

func checkUpdateBuildStatus(s *session) error {
	id, err := s.create(s.request("built"))
	if err != nil {
		return err
	}
	request := &workflows.UpdateWorkflowBuildStatusRequest{
		Id: id, UserId: s.user, BuildStatus: "building", Generation: 1,
	}
	for range 2 { // The second time, nothing is recorded.
		var trailer metadata.MD
		if _, err := s.service.UpdateWorkflowBuildStatus(s.ctx, request, grpc.Trailer(&trailer)); err != nil {
			return err
		}
		s.expectWritten(trailer, 2, false)
	}
	got, err := s.get(id)
	if err != nil {
		return err
	}
	expect(s, "build_status", got.GetBuildStatus(), "building")

	request.BuildStatus, request.Generation = "success", 2
	_, err = s.service.UpdateWorkflowBuildStatus(s.ctx, request)
	stale := s.expectPrecondition(err, "STALE_GENERATION", id)
	expect(s, "the generation given", stale.info.GetMetadata()["given"], "2")
	expect(s, "the current generation", stale.info.GetMetadata()["current"], "1")
	request.BuildStatus = "done"
	_, err = s.service.UpdateWorkflowBuildStatus(s.ctx, request)
	s.expectBadFields(err, "build_status")
	return nil
}

func checkIncrement(s *session) error {
	id, err := s.create(s.request("failing"))
	if err != nil {
		return err
	}
	for _, delivery := range []struct {
		job      string
		reached  bool
		version  int
		replayed bool
	}{
		{"job 1", false, 2, false},
		{"job 1", false, 2, true},
		{"job 2", true, 4, false}, // counted, then terminated
		{"job 2", true, 4, true},
		{"job 1", false, 2, true},
	} {
		if err := s.increment(id, delivery.job, delivery.reached, delivery.version, delivery.replayed); err != nil {
			return err
		}
	}
	got, err := s.get(id)
	if err != nil {
		return err
	}
	expect(s, "consecutive_job_failures_count", got.GetConsecutiveJobFailuresCount(), 2)
	s.expectTime("terminated_at", got.GetTerminatedAt())

	_, err = s.service.IncrementWorkflowConsecutiveJobFailuresCount(
		s.ctx, &workflows.IncrementWorkflowConsecutiveJobFailuresCountRequest{Id: id, JobId: "job 3"},
	)
	s.expectTerminated(err, id)
	return nil
}

func checkReset(s *session) error {
	id, err := s.create(s.request("recovering"))
	if err != nil {
		return err
	}
	if err := s.increment(id, "job", false, 2, false); err != nil {
		return err
	}
	request := &workflows.ResetWorkflowConsecutiveJobFailuresCountRequest{Id: id, UserId: s.user}
	for range 2 { // The second time, nothing is recorded.
		var trailer metadata.MD
		if _, err := s.service.ResetWorkflowConsecutiveJobFailuresCount(
			s.ctx, request, grpc.Trailer(&trailer),
		); err != nil {
			return err
		}
		s.expectWritten(trailer, 3, false)
	}
	got, err := s.get(id)
	if err != nil {
		return err
	}
	expect(s, "consecutive_job_failures_count", got.GetConsecutiveJobFailuresCount(), 0)

	request.UserId = "somebody else"
	_, err = s.service.ResetWorkflowConsecutiveJobFailuresCount(s.ctx, request)
	s.expectNotFound(err, id)
	return nil
}

func checkTerminate(s *session) error {
	id, err := s.create(s.request("ending"))
	if err != nil {
		return err
	}
	request := &workflows.TerminateWorkflowRequest{Id: id, UserId: s.user}
	for range 2 { // The second time, nothing is recorded.
		var trailer metadata.MD
		if _, err := s.service.TerminateWorkflow(s.ctx, request, grpc.Trailer(&trailer)); err != nil {
			return err
		}
		s.expectWritten(trailer, 2, false)
	}
	got, err := s.get(id)
	if err != nil {
		return err
	}
	s.expectTime("terminated_at", got.GetTerminatedAt())

	_, err = s.service.UpdateWorkflowBuildStatus(
		s.ctx, &workflows.UpdateWorkflowBuildStatusRequest{Id: id, BuildStatus: "success"},
	)
	s.expectTerminated(err, id)
	request.UserId = "somebody else"
	_, err = s.service.TerminateWorkflow(s.ctx, request)
	s.expectNotFound(err, id)
	return nil
}

func checkDelete(s *session) error {
	id, err := s.create(s.request("going"))
	if err != nil {
		return err
	}
	request := &workflows.DeleteWorkflowRequest{Id: id, UserId: "somebody else"}
	_, err = s.service.DeleteWorkflow(s.ctx, request)
	s.expectNotFound(err, id)
	request.UserId = s.user
	var trailer metadata.MD
	if _, err := s.service.DeleteWorkflow(s.ctx, request, grpc.Trailer(&trailer)); err != nil {
		return err
	}
	s.expectWritten(trailer, 2, false)

	_, err = s.get(id)
	s.expectNotFound(err, id)
	found, err := s.walk(nil)
	if err != nil {
		return err
	}
	expect(s, "the number of workflows listed", len(found), 0)
	_, err = s.service.DeleteWorkflow(s.ctx, request)
	s.expectNotFound(err, id)
	return nil
}
