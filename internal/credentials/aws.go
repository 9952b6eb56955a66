package credentials

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/drover-batch/drover/internal/access"
)

// AWS gives the keys of AWS's chain: environment, profiles, web identity, container, instance. Empty arguments leave
// region and profile to the environment.
func AWS(ctx context.Context, region, profile string) (access.Provider, error) {
	cfg, err := loadAWS(ctx, region, profile)
	if err != nil {
		return nil, err
	}
	return renewing(askAWS(cfg.Credentials)), nil
}

func loadAWS(ctx context.Context, region, profile string) (aws.Config, error) {
	var opts []func(*awsconfig.LoadOptions) error
	if region != "" {
		opts = append(opts, awsconfig.WithRegion(region))
	}
	if profile != "" {
		opts = append(opts, awsconfig.WithSharedConfigProfile(profile))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return cfg, fmt.Errorf("load the AWS configuration: %w", err)
	}
	return cfg, nil
}

func awsRole(ctx context.Context, r Role) (ask, error) {
	cfg, err := loadAWS(ctx, r.Region, "")
	if err != nil {
		return nil, err
	}
	client := sts.NewFromConfig(cfg, func(o *sts.Options) {
		if r.Endpoint != "" {
			o.BaseEndpoint = &r.Endpoint
		}
	})
	return askAWS(stscreds.NewAssumeRoleProvider(client, r.ARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.Duration = r.SessionName, r.Duration
		if r.ExternalID != "" {
			o.ExternalID = &r.ExternalID
		}
	})), nil
}

// askAWS asks a provider of the SDK. One that keeps what it found is made to forget it: it is asked for new keys.
func askAWS(p aws.CredentialsProvider) ask {
	return func(ctx context.Context) (temporary, error) {
		if c, ok := p.(interface{ Invalidate() }); ok {
			c.Invalidate()
		}
		c, err := p.Retrieve(ctx)
		if err != nil {
			err = fmt.Errorf("find AWS credentials: %w", err)
			if awsMayAnswerLater(err) {
				err = &unavailable{err}
			}
			return temporary{}, err
		}
		t := temporary{Keys: access.Keys{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, SessionToken: c.SessionToken}}
		if c.CanExpire {
			t.end = c.Expires
		}
		return t, nil
	}
}

var awsRetryables = retry.IsErrorRetryables(retry.DefaultRetryables)

// awsMayAnswerLater tells a service that is away or asks for fewer questions from one that refuses.
func awsMayAnswerLater(err error) bool {
	var quota *retry.MaxAttemptsError
	if errors.As(err, &quota) || errors.Is(err, context.DeadlineExceeded) || awsRetryables.IsErrorRetryable(err) == aws.TrueTernary {
		return true
	}
	var answer smithy.APIError
	return errors.As(err, &answer) && answer.ErrorFault() == smithy.FaultServer
}
