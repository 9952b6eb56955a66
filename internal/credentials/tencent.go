package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"github.com/drover-batch/drover/internal/access"
)

const (
	tencentSTS    = "https://sts.tencentcloudapi.com"
	tencentRegion = "ap-guangzhou" // where STS is asked when no region is given; its keys are good everywhere
	// fileAge is how long keys whose source tells no end are kept: files are replaced, and machines' roles are renewed by
	// their metadata service.
	fileAge = time.Minute
)

// Tencent gives the keys of Tencent Cloud's chain: TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY
// (TENCENTCLOUD_TOKEN); the web identity of a TKE pod (TKE_WEB_IDENTITY_TOKEN_FILE and its companions);
// ~/.tencentcloud/credentials; the role of a CVM instance. Endpoint is STS's URL, "" its own.
func Tencent(endpoint string, getenv func(string) string) access.Provider {
	return renewing(tencentChain(endpoint, getenv))
}

func tencentChain(endpoint string, getenv func(string) string) ask {
	return func(ctx context.Context) (temporary, error) {
		if id, secret := getenv("TENCENTCLOUD_SECRET_ID"), getenv("TENCENTCLOUD_SECRET_KEY"); id != "" && secret != "" {
			return temporary{Keys: access.Keys{AccessKey: id, SecretKey: secret, SessionToken: getenv("TENCENTCLOUD_TOKEN")}}, nil
		}
		if getenv("TKE_WEB_IDENTITY_TOKEN_FILE") != "" {
			return webIdentity(ctx, endpoint, getenv)
		}
		chain := common.NewProviderChain([]common.Provider{common.DefaultProfileProvider(), common.DefaultCvmRoleProvider()})
		c, err := chain.GetCredential()
		if err != nil {
			return temporary{}, tencentError("find Tencent Cloud credentials", err)
		}
		id, secret, token := c.GetCredential()
		return temporary{access.Keys{AccessKey: id, SecretKey: secret, SessionToken: token}, time.Now().Add(fileAge)}, nil
	}
}

// webIdentity gives keys for the token of a pod (Tencent doc page 1312/73070, AssumeRoleWithWebIdentity). The token's
// file is read each time: it is replaced before it expires.
func webIdentity(ctx context.Context, endpoint string, getenv func(string) string) (temporary, error) {
	token, err := os.ReadFile(getenv("TKE_WEB_IDENTITY_TOKEN_FILE"))
	if err != nil {
		return temporary{}, fmt.Errorf("read the web identity's token: %w", err)
	}
	return askTencentSTS(ctx, nil, endpoint, getenv("TKE_REGION"), "AssumeRoleWithWebIdentity", map[string]any{
		"ProviderId": getenv("TKE_PROVIDER_ID"), "WebIdentityToken": strings.TrimSpace(string(token)),
		"RoleArn": getenv("TKE_ROLE_ARN"), "RoleSessionName": "drover", "DurationSeconds": int(time.Hour / time.Second),
	})
}

func tencentRole(r Role, getenv func(string) string) ask {
	base := Tencent(r.Endpoint, getenv)
	return func(ctx context.Context) (temporary, error) {
		k, err := base(ctx)
		if err != nil {
			return temporary{}, err
		}
		params := map[string]any{
			"RoleArn": r.ARN, "RoleSessionName": r.SessionName, "DurationSeconds": int(r.Duration / time.Second),
		}
		if r.ExternalID != "" {
			params["ExternalId"] = r.ExternalID
		}
		return askTencentSTS(ctx, common.NewTokenCredential(k.AccessKey, k.SecretKey, k.SessionToken), r.Endpoint, r.Region, "AssumeRole", params)
	}
}

// askTencentSTS makes one call of STS (API version 2018-08-13).
func askTencentSTS(
	ctx context.Context, signer common.CredentialIface, endpoint, region, action string, params map[string]any,
) (temporary, error) {
	if endpoint == "" {
		endpoint = tencentSTS
	}
	if region == "" {
		region = tencentRegion
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return temporary{}, fmt.Errorf("the endpoint of STS, %q, is no URL", endpoint)
	}
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = u.Host, u.Scheme
	p.HttpProfile.ReqTimeout = int(patience / time.Second)
	request := tchttp.NewCommonRequest("sts", "2018-08-13", action)
	request.SetContext(ctx)
	request.SetSkipSign(signer == nil)
	if err := request.SetActionParameters(params); err != nil {
		return temporary{}, err
	}
	response := tchttp.NewCommonResponse()
	if err := common.NewCommonClient(signer, region, p).Send(request, response); err != nil {
		return temporary{}, tencentError("ask Tencent Cloud's STS for "+action, err)
	}
	var answer struct {
		Response struct {
			Credentials struct{ Token, TmpSecretID, TmpSecretKey string }
			ExpiredTime int64
		}
	}
	if err := json.Unmarshal(response.GetBody(), &answer); err != nil {
		return temporary{}, &unavailable{fmt.Errorf("read the answer of Tencent Cloud's STS: %w", err)}
	}
	c := answer.Response.Credentials
	if c.TmpSecretID == "" || c.TmpSecretKey == "" || answer.Response.ExpiredTime == 0 {
		return temporary{}, &unavailable{errors.New("the answer of Tencent Cloud's STS has no keys")}
	}
	return temporary{
		access.Keys{AccessKey: c.TmpSecretID, SecretKey: c.TmpSecretKey, SessionToken: c.Token}, time.Unix(answer.Response.ExpiredTime, 0),
	}, nil
}

// tencentError tells a service that is away or asks for fewer questions from one that refuses (the API's
// common error codes). ClientError is the SDK's own word for an answer that is none, such as that of a gateway.
func tencentError(doing string, err error) error {
	wrapped := fmt.Errorf("%s: %w", doing, err)
	var e *tcerrors.TencentCloudSDKError
	if !errors.As(err, &e) {
		return &unavailable{wrapped} // no answer came
	}
	for _, code := range []string{"ClientError", "InternalError", "RequestLimitExceeded", "ResourceUnavailable"} {
		if strings.HasPrefix(e.Code, code) {
			return &unavailable{wrapped}
		}
	}
	return wrapped
}
