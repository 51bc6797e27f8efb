// SPDX-License-Identifier: Apache-2.0
using System;
using Segue.Rehearsal;

namespace UnityEngine.Networking
{
    public partial class UnityWebRequest : IDisposable
    {
        internal bool WasSent;

        public enum Result
        {
            InProgress,
            Success,
            ConnectionError,
            ProtocolError,
            DataProcessingError,
        }

        public string url { get; set; }

        public Result result { get; internal set; }

        public string error { get; internal set; }

        public DownloadHandler downloadHandler { get; set; }

        public static UnityWebRequest Get(string uri) => new UnityWebRequest { url = uri, downloadHandler = new DownloadHandlerBuffer() };

        public UnityWebRequestAsyncOperation SendWebRequest() => Stage.Main.Send(this);

        public void Dispose() => Stage.Main.Disposed++;
    }

    public class UnityWebRequestAsyncOperation : AsyncOperation { }

    public partial class DownloadHandler : IDisposable
    {
        internal byte[] Bytes;

        public byte[] data => Bytes;

        public void Dispose() { }
    }

    public sealed class DownloadHandlerBuffer : DownloadHandler { }

    public sealed class DownloadHandlerAudioClip : DownloadHandler
    {
        internal AudioClip Clip;

        public bool streamAudio { get; set; }

        public bool compressed { get; set; }

        public static AudioClip GetContent(UnityWebRequest www)
        {
            if (www.result != UnityWebRequest.Result.Success) throw new InvalidOperationException(www.error);
            return ((DownloadHandlerAudioClip)www.downloadHandler).Clip;
        }
    }

    public static class UnityWebRequestMultimedia
    {
        public static UnityWebRequest GetAudioClip(string uri, AudioType audioType) =>
            new UnityWebRequest { url = uri, downloadHandler = new DownloadHandlerAudioClip() };
    }
}
