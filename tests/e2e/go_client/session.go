package main

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	payload = `{"url": "https://example.org/",  "note": "ü"}` // kept byte for byte, blanks included
	nobody  = "00000000-0000-7000-8000-000000000000"
)

var (
	uuid7  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	moment = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$`)
)

// A session checks one method, as a user of its own, and collects what is not as it should be.
type session struct {
	ctx        context.Context
	service    workflows.WorkflowsServiceClient
	user       string
	mismatches []string
}

func newSession(ctx context.Context, service workflows.WorkflowsServiceClient, method string) *session {
	user := fmt.Sprintf("go-%s-%d", method, time.Now().UnixNano())
	return &session{ctx: ctx, service: service, user: user}
}

func (s *session) fail(format string, arguments ...any) {
	s.mismatches = append(s.mismatches, fmt.Sprintf(format, arguments...))
}

func expect[T comparable](s *session, what string, got, want T) {
	if got != want {
		s.fail("%s is %v, not %v", what, got, want)
	}
}

// request is a valid one to create a workflow.
func (s *session) request(name string) *workflows.CreateWorkflowRequest {
	return &workflows.CreateWorkflowRequest{
		UserId:                           s.user,
		Name:                             name,
		Payload:                          payload,
		Kind:                             "http",
		Interval:                         5,
		MaxConsecutiveJobFailuresAllowed: 2,
		LogRetention:                     proto.Bool(false),
	}
}

func (s *session) create(request *workflows.CreateWorkflowRequest) (string, error) {
	created, err := s.service.CreateWorkflow(s.ctx, request)
	return created.GetId(), err
}

func (s *session) get(id string) (*workflows.GetWorkflowResponse, error) {
	return s.service.GetWorkflow(s.ctx, &workflows.GetWorkflowRequest{Id: id, UserId: s.user})
}

// expectVersion checks the version that a reply reflects.
func (s *session) expectVersion(trailer metadata.MD, version int) {
	expect(s, "x-workflow-version", first(trailer, "x-workflow-version"), strconv.Itoa(version))
}

// expectWritten checks the metadata of a mutating method.
func (s *session) expectWritten(trailer metadata.MD, version int, replayed bool) {
	s.expectVersion(trailer, version)
	position, err := strconv.ParseInt(first(trailer, "x-event-position"), 10, 64)
	if err != nil || position < 1 {
		s.fail("x-event-position is %q, not a position", first(trailer, "x-event-position"))
	}
	want := ""
	if replayed {
		want = "true"
	}
	expect(s, "x-replayed", first(trailer, "x-replayed"), want)
}

func first(trailer metadata.MD, key string) string {
	if values := trailer.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// expectRefusal checks the code, and the reason among the details; it answers with these.
func (s *session) expectRefusal(err error, code codes.Code, reason string) details {
	refusal := status.Convert(err)
	expect(s, "the code of a refusal", refusal.Code(), code)
	found := details{}
	for _, detail := range refusal.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			found.info = detail
		case *errdetails.BadRequest:
			found.bad = detail
		case *errdetails.PreconditionFailure:
			found.precondition = detail
		case *errdetails.ResourceInfo:
			found.resource = detail
		}
	}
	expect(s, "the reason of a refusal", found.info.GetReason(), reason)
	expect(s, "the domain of a refusal", found.info.GetDomain(), "workflows.WorkflowsService")
	return found
}

// details are those of google.rpc that a refusal carries.
type details struct {
	info         *errdetails.ErrorInfo
	bad          *errdetails.BadRequest
	precondition *errdetails.PreconditionFailure
	resource     *errdetails.ResourceInfo
}

// expectBadFields checks that a request was refused for these fields and no other.
func (s *session) expectBadFields(err error, fields ...string) {
	bad := map[string]string{}
	refusal := s.expectRefusal(err, codes.InvalidArgument, "INVALID_FIELDS")
	for _, violation := range refusal.bad.GetFieldViolations() {
		bad[violation.GetField()] = violation.GetDescription()
		if !strings.Contains(violation.GetDescription(), "accepted") {
			s.fail("%q does not say what is accepted", violation.GetDescription())
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(bad)), slices.Sorted(slices.Values(fields))) {
		s.fail("the bad fields are %v, not %v", bad, fields)
	}
}

// expectNotFound checks that a call was refused because there is no such workflow.
func (s *session) expectNotFound(err error, id string) {
	found := s.expectRefusal(err, codes.NotFound, "WORKFLOW_NOT_FOUND")
	expect(s, "the missing resource", found.resource.GetResourceName(), id)
}

// expectTerminated checks that a call was refused because the workflow is terminated.
func (s *session) expectTerminated(err error, id string) {
	s.expectPrecondition(err, "WORKFLOW_TERMINATED", id)
}

func (s *session) expectPrecondition(err error, reason, id string) details {
	found := s.expectRefusal(err, codes.FailedPrecondition, reason)
	violations := found.precondition.GetViolations()
	if len(violations) != 1 {
		s.fail("%d preconditions are violated, not 1", len(violations))
		return found
	}
	expect(s, "the violated precondition", violations[0].GetType(), reason)
	expect(s, "the subject of a precondition", violations[0].GetSubject(), "workflows/"+id)
	return found
}

// expectTime checks that a text is a moment near now, as the contract spells it.
func (s *session) expectTime(what, text string) {
	parsed, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !moment.MatchString(text) {
		s.fail("%s is %q, not RFC 3339 in UTC with microseconds", what, text)
	} else if age := time.Since(parsed).Abs(); age > time.Hour {
		s.fail("%s is %s away from now", what, age)
	}
}

// increment counts a failure, and checks the answer and its metadata.
func (s *session) increment(id, job string, reached bool, version int, replayed bool) error {
	var trailer metadata.MD
	answer, err := s.service.IncrementWorkflowConsecutiveJobFailuresCount(
		s.ctx,
		&workflows.IncrementWorkflowConsecutiveJobFailuresCountRequest{Id: id, UserId: s.user, JobId: job},
		grpc.Trailer(&trailer),
	)
	if err != nil {
		return fmt.Errorf("the failure of %s was not counted: %w", job, err)
	}
	expect(s, "threshold_reached after "+job, answer.GetThresholdReached(), reached)
	s.expectWritten(trailer, version, replayed)
	return nil
}
