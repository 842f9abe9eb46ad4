// Command client calls every method of a Workflows Service and checks the answers.
// It prints a line for each method, and exits with 1 where an answer is not as the contract says.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const deadline = 100 * time.Second // for all calls together: patience, not an expectation

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: client HOST:PORT")
		os.Exit(2)
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if !checkAll(ctx, workflows.NewWorkflowsServiceClient(connection)) {
		cancel()
		os.Exit(1)
	}
}

func checkAll(ctx context.Context, service workflows.WorkflowsServiceClient) bool {
	steps := []struct {
		method string
		check  func(*session) error
	}{
		{"CreateWorkflow", checkCreate},
		{"GetWorkflow", checkGet},
		{"GetWorkflowByID", checkGetByID},
		{"ListWorkflows", checkList},
		{"UpdateWorkflow", checkUpdate},
		{"UpdateWorkflowBuildStatus", checkUpdateBuildStatus},
		{"IncrementWorkflowConsecutiveJobFailuresCount", checkIncrement},
		{"ResetWorkflowConsecutiveJobFailuresCount", checkReset},
		{"TerminateWorkflow", checkTerminate},
		{"DeleteWorkflow", checkDelete},
	}
	passed := true
	for _, step := range steps {
		session := newSession(ctx, service, step.method)
		if err := step.check(session); err != nil {
			session.mismatches = append(session.mismatches, err.Error())
		}
		if len(session.mismatches) == 0 {
			fmt.Println("ok  ", step.method)
			continue
		}
		passed = false
		fmt.Println("FAIL", step.method)
		for _, mismatch := range session.mismatches {
			fmt.Fprintf(os.Stderr, "%s: %s\n", step.method, mismatch)
		}
	}
	return passed
}
