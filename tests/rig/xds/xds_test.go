// Answers what istiod makes of resources: for each case on standard input (a JSON object per line) one line on standard
// output, "RESULT " and JSON. It is a test binary because istiod's generators have a fake server for tests only.
package xds

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pilot/pkg/serviceregistry/provider"
	"istio.io/istio/pilot/pkg/xds/endpoints"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/host"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/protocol"
	"istio.io/istio/pkg/config/visibility"
	"istio.io/istio/pkg/network"
	"istio.io/istio/pkg/util/sets"
)

type request struct {
	Clusters []clusterInput
}

type clusterInput struct {
	Name, Network string
	// Istio's resources, as YAML.
	Config    string
	Services  []serviceInput
	Instances []instanceInput
	Gateways  []gatewayInput
	// Namespaces of callers whose proxies are asked for.
	Clients []string
	// Labels and namespace of the gateway's pods; none if there is no gateway.
	Gateway *struct {
		Namespace string
		Labels    map[string]string
	}
}

type serviceInput struct {
	Host, Namespace string
	Ports           []portInput
	ExportTo        []string
}

type portInput struct {
	Name           string
	Number, Target int
	Protocol       string
}

type instanceInput struct {
	Host, Address, Network, Cluster string
	Labels                          map[string]string
	Plain                           bool
}

type gatewayInput struct {
	Network, Cluster, Address string
	Port                      uint32
}

type answer struct {
	Name string
	// Namespace of the caller -> what its proxies send.
	Callers map[string][]cluster_ `json:"callers"`
	// Namespace of the caller -> where its proxies send the calls of a host.
	Routes map[string][]route `json:"routes"`
	Chains []chain            `json:"chains"`
}

type route struct {
	// The host of HTTP calls, the address of others.
	To   string `json:"to"`
	Port string `json:"port"`
	// What the SNI of the client must be; empty if it may be any.
	Snis  []string `json:"snis"`
	Parts []part   `json:"parts"`
}

type part struct {
	Cluster string `json:"cluster"`
	Weight  uint32 `json:"weight"`
}

type cluster_ struct {
	Host      string     `json:"host"`
	Subset    string     `json:"subset"`
	Port      string     `json:"port"`
	Endpoints []endpoint `json:"endpoints"`
}

type endpoint struct {
	Address string `json:"address"`
	Port    uint32 `json:"port"`
	// "plain", "mutual" or "other".
	Sent string `json:"sent"`
	Sni  string `json:"sni"`
	// The lower is called first.
	Priority uint32 `json:"priority"`
}

type chain struct {
	Port      uint32   `json:"port"`
	Sni       string   `json:"sni"`
	Endpoints int      `json:"endpoints"`
	Addresses []string `json:"addresses"`
}

func TestAnswer(t *testing.T) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for n := 0; lines.Scan(); n++ {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			t.Fatal(err)
		}
		var answers []answer
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, c := range asked.Clusters {
				answers = append(answers, answered(t, c))
			}
		})
		out, err := json.Marshal(answers)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("RESULT %s\n", out)
	}
}

func answered(t *testing.T, in clusterInput) answer {
	services := map[string]*model.Service{}
	options := core.TestOptions{
		ConfigString: in.Config,
		MeshConfig:   mesh.DefaultMeshConfig(),
		ClusterID:    cluster.ID(in.Name),
	}
	for n, s := range in.Services {
		services[s.Host] = service(s)
		services[s.Host].DefaultAddress = fmt.Sprintf("10.96.0.%d", n+1)
		options.Services = append(options.Services, services[s.Host])
	}
	for _, i := range in.Instances {
		options.Instances = append(options.Instances, instances(services[i.Host], i, in.Services)...)
	}
	for _, g := range in.Gateways {
		options.Gateways = append(options.Gateways, model.NetworkGateway{
			Network: network.ID(g.Network), Cluster: cluster.ID(g.Cluster), Addr: g.Address, Port: g.Port,
		})
	}
	fake := core.NewConfigGenTest(t, options)
	out := answer{Name: in.Name, Callers: map[string][]cluster_{}, Routes: map[string][]route{}, Chains: []chain{}}
	for _, namespace := range in.Clients {
		// Without labels, no order of failover applies.
		p := fake.SetupProxy(proxy(in, namespace, map[string]string{"app": "client"}))
		out.Callers[namespace] = callers(fake, p)
		out.Routes[namespace] = append(httpRoutes(fake, p), tcpRoutes(fake, p)...)
	}
	if in.Gateway != nil {
		p := proxy(in, in.Gateway.Namespace, in.Gateway.Labels)
		p.Type = model.Router
		// As Istio's chart has it for a gateway between networks.
		p.Metadata.RequestedNetworkView = []string{in.Network}
		out.Chains = chains(fake, fake.SetupProxy(p))
	}
	return out
}

func service(in serviceInput) *model.Service {
	out := &model.Service{
		Hostname:   host.Name(in.Host),
		Resolution: model.ClientSideLB,
		Attributes: model.ServiceAttributes{
			Name: strings.Split(in.Host, ".")[0], Namespace: in.Namespace, ServiceRegistry: provider.Kubernetes,
		},
	}
	if in.ExportTo != nil {
		out.Attributes.ExportTo = sets.New[visibility.Instance]()
		for _, to := range in.ExportTo {
			out.Attributes.ExportTo.Insert(visibility.Instance(to))
		}
	}
	for _, p := range in.Ports {
		out.Ports = append(out.Ports, &model.Port{Name: p.Name, Port: p.Number, Protocol: protocol.Parse(p.Protocol)})
	}
	return out
}

func instances(s *model.Service, in instanceInput, all []serviceInput) []*model.ServiceInstance {
	mode := model.IstioMutualTLSModeLabel
	if in.Plain {
		mode = model.DisabledTLSModeLabel
	}
	targets := map[string]int{}
	for _, known := range all {
		if known.Host == in.Host {
			for _, p := range known.Ports {
				targets[p.Name] = p.Target
			}
		}
	}
	var out []*model.ServiceInstance
	for _, p := range s.Ports {
		out = append(out, &model.ServiceInstance{
			Service: s, ServicePort: p,
			Endpoint: &model.IstioEndpoint{
				Addresses: []string{in.Address}, EndpointPort: uint32(targets[p.Name]), ServicePortName: p.Name,
				Labels: in.Labels, Namespace: s.Attributes.Namespace, TLSMode: mode,
				Network: network.ID(in.Network), Locality: model.Locality{ClusterID: cluster.ID(in.Cluster)},
				ServiceAccount: "default", HostName: "",
			},
		})
	}
	return out
}

func proxy(in clusterInput, namespace string, labels map[string]string) *model.Proxy {
	return &model.Proxy{
		ConfigNamespace: namespace, Labels: labels, ID: "probe." + namespace,
		Metadata: &model.NodeMetadata{
			Namespace: namespace, Labels: labels, ClusterID: cluster.ID(in.Name),
			Network: network.ID(in.Network), IstioVersion: "1.30.3",
		},
		IPAddresses: []string{"10.99.0.1"},
	}
}

// The load assignment of every cluster, by its name.
func assigned(fake *core.ConfigGenTest, p *model.Proxy, all []*clusterv3.Cluster) map[string]*endpointv3.ClusterLoadAssignment {
	out := map[string]*endpointv3.ClusterLoadAssignment{}
	for _, c := range all {
		if c.LoadAssignment != nil {
			out[c.Name] = c.LoadAssignment
		} else if c.GetType() == clusterv3.Cluster_EDS {
			builder := endpoints.NewEndpointBuilder(c.Name, p, fake.PushContext())
			out[c.Name] = builder.BuildClusterLoadAssignment(fake.Env().EndpointIndex)
		}
	}
	return out
}

func callers(fake *core.ConfigGenTest, p *model.Proxy) []cluster_ {
	all := fake.Clusters(p)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	loads := assigned(fake, p, all)
	out := []cluster_{}
	for _, c := range all {
		parts := strings.Split(c.Name, "|")
		if len(parts) != 4 || parts[0] != "outbound" {
			continue
		}
		one := cluster_{Port: parts[1], Subset: parts[2], Host: parts[3], Endpoints: []endpoint{}}
		for _, group := range loads[c.Name].GetEndpoints() {
			for _, e := range group.LbEndpoints {
				at := e.GetEndpoint().GetAddress().GetSocketAddress()
				sent, sni := sent(c, e)
				one.Endpoints = append(one.Endpoints, endpoint{
					Address: at.GetAddress(), Port: at.GetPortValue(), Sent: sent, Sni: sni, Priority: group.Priority,
				})
			}
		}
		out = append(out, one)
	}
	return out
}

// Where HTTP calls of a host go: a virtual host has one route, since nothing here matches requests.
func httpRoutes(fake *core.ConfigGenTest, p *model.Proxy) []route {
	out := []route{}
	for _, config := range fake.Routes(p) {
		for _, virtual := range config.VirtualHosts {
			host, _, _ := strings.Cut(virtual.Name, ":")
			if len(virtual.Routes) == 0 || virtual.Routes[0].GetRoute() == nil {
				continue
			}
			one := route{To: host, Port: config.Name, Snis: []string{}, Parts: []part{}}
			action := virtual.Routes[0].GetRoute()
			for _, w := range action.GetWeightedClusters().GetClusters() {
				one.Parts = append(one.Parts, part{Cluster: w.Name, Weight: w.GetWeight().GetValue()})
			}
			if name := action.GetCluster(); name != "" {
				one.Parts = append(one.Parts, part{Cluster: name, Weight: 100})
			}
			out = append(out, one)
		}
	}
	return out
}

// Where other connections to an address go.
func tcpRoutes(fake *core.ConfigGenTest, p *model.Proxy) []route {
	out := []route{}
	for _, l := range fake.Listeners(p) {
		at := l.GetAddress().GetSocketAddress()
		for _, f := range l.FilterChains {
			for _, filter := range f.Filters {
				proxy := &tcpv3.TcpProxy{}
				if filter.GetTypedConfig().UnmarshalTo(proxy) != nil {
					continue
				}
				one := route{
					To: at.GetAddress(), Port: fmt.Sprint(at.GetPortValue()), Parts: []part{},
					Snis: append([]string{}, f.GetFilterChainMatch().GetServerNames()...),
				}
				for _, w := range proxy.GetWeightedClusters().GetClusters() {
					one.Parts = append(one.Parts, part{Cluster: w.Name, Weight: w.Weight})
				}
				if name := proxy.GetCluster(); name != "" {
					one.Parts = append(one.Parts, part{Cluster: name, Weight: 100})
				}
				out = append(out, one)
			}
		}
	}
	return out
}

// What a cluster sends to an endpoint: by its transport socket, or by the one that the endpoint's metadata choose.
func sent(c *clusterv3.Cluster, e *endpointv3.LbEndpoint) (string, string) {
	socket := c.TransportSocket
	if socket == nil {
		mode := e.Metadata.GetFilterMetadata()["envoy.transport_socket_match"].GetFields()["tlsMode"].GetStringValue()
		for _, m := range c.TransportSocketMatches {
			if wanted := m.Match.GetFields()["tlsMode"].GetStringValue(); wanted == mode && wanted != "" {
				socket = m.TransportSocket
			}
		}
	}
	tls := &tlsv3.UpstreamTlsContext{}
	if socket == nil || socket.GetTypedConfig().UnmarshalTo(tls) != nil {
		return "plain", ""
	}
	for _, alpn := range tls.CommonTlsContext.GetAlpnProtocols() {
		if strings.HasPrefix(alpn, "istio") {
			return "mutual", tls.Sni
		}
	}
	return "other", tls.Sni
}

func chains(fake *core.ConfigGenTest, p *model.Proxy) []chain {
	loads := assigned(fake, p, fake.Clusters(p))
	out := []chain{}
	for _, l := range fake.Listeners(p) {
		for _, f := range l.FilterChains {
			for _, name := range f.GetFilterChainMatch().GetServerNames() {
				addresses := []string{}
				for _, group := range loads[target(f)].GetEndpoints() {
					for _, e := range group.LbEndpoints {
						addresses = append(addresses, e.GetEndpoint().GetAddress().GetSocketAddress().GetAddress())
					}
				}
				sort.Strings(addresses)
				port := l.GetAddress().GetSocketAddress().GetPortValue()
				out = append(out, chain{Port: port, Sni: name, Endpoints: len(addresses), Addresses: addresses})
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Sni < out[j].Sni })
	return out
}

func target(f *listenerv3.FilterChain) string {
	for _, filter := range f.Filters {
		proxy := &tcpv3.TcpProxy{}
		if filter.GetTypedConfig().UnmarshalTo(proxy) == nil {
			return proxy.GetCluster()
		}
	}
	return ""
}
