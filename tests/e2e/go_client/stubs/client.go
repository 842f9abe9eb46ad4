package workflows

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ServiceConfig says which calls wait for a server and which are repeated, for clients of any language.
//
//go:embed service_config.json
var ServiceConfig string

// Timeout bounds a call, repeats included, whose context has no deadline.
const Timeout = 20 * time.Second

// DialOptions are those of a connection that outlives restarts of the service: calls wait and are
// repeated as ServiceConfig says, have a deadline, and carry a key, so that a repeat happens once.
func DialOptions() []grpc.DialOption {
	pauses := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}
	return []grpc.DialOption{
		grpc.WithDefaultServiceConfig(ServiceConfig),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: pauses, MinConnectTimeout: time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithUnaryInterceptor(complete),
	}
}

// complete gives a call what it lacks: a deadline and a key.
func complete(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, Timeout)
		defer cancel()
	}
	if message, ok := request.(proto.Message); ok {
		request = withKey(message)
	}
	return invoke(ctx, method, request, reply, connection, options...)
}

// withKey is the request with a random key, if it has room for one and brings none.
func withKey(request proto.Message) proto.Message {
	for _, name := range []protoreflect.Name{"idempotency_key", "job_id"} {
		field := request.ProtoReflect().Descriptor().Fields().ByName(name)
		if field == nil || request.ProtoReflect().Has(field) {
			continue
		}
		key := make([]byte, 16)
		rand.Read(key)
		keyed := proto.Clone(request)
		keyed.ProtoReflect().Set(field, protoreflect.ValueOfString(hex.EncodeToString(key)))
		return keyed
	}
	return request
}
