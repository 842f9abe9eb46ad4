package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/hitesh22rana/chronoverse/pkg/proto/go/workflows"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

func main() {
	token, err := os.ReadFile("alice.token")
	if err != nil {
		log.Fatal(err)
	}
	authorities, err := credentials.NewClientTLSFromFile("authority.pem", "")
	if err != nil {
		log.Fatal(err)
	}
	options := append(workflows.DialOptions(), grpc.WithTransportCredentials(authorities))
	connection, err := grpc.NewClient("localhost:50052", options...)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+strings.TrimSpace(string(token)))
	created, err := workflows.NewWorkflowsServiceClient(connection).CreateWorkflow(ctx, &workflows.CreateWorkflowRequest{
		UserId: "alice", Name: "Encrypted report", Kind: "script", Payload: "{}", Interval: 1440, MaxConsecutiveJobFailuresAllowed: 3, IdempotencyKey: "encrypted-report-1",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(created.Id)
}
